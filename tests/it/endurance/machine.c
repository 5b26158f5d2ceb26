/* What a machine does to a process: it sets its clock, and its disk fails for a
 * while. Loaded before the C library (LD_PRELOAD); the test writes into the
 * file that MACHINE names, which is this struct. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t clock_nanos; /* added to the wall clock */
    int32_t write_error; /* errno of writes into the store, 0 for none */
    int32_t sync_error;  /* the same of fsync */
};

static volatile struct control *control;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("MACHINE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) control = mapped;
    close(file);
}

/* Only the store's files fail: what the tasks note beside it has to be seen. */
static int is_of_store(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, "/runs.db") != NULL;
}

static int fails(int32_t error, int file) {
    if (error == 0 || !is_of_store(file)) return 0;
    errno = error;
    return 1;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t nanos = now->tv_nsec + control->clock_nanos % 1000000000;
        now->tv_sec += control->clock_nanos / 1000000000 + (nanos >= 1000000000) - (nanos < 0);
        now->tv_nsec = (nanos + 1000000000) % 1000000000;
    }
    return result;
}

ssize_t write(int file, const void *bytes, size_t count) {
    if (control && fails(control->write_error, file)) return -1;
    return syscall(SYS_write, file, bytes, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    if (control && fails(control->write_error, file)) return -1;
    return syscall(SYS_pwrite64, file, bytes, count, at);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    return pwrite64(file, bytes, count, at);
}

int fsync(int file) {
    if (control && fails(control->sync_error, file)) return -1;
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    if (control && fails(control->sync_error, file)) return -1;
    return (int)syscall(SYS_fdatasync, file);
}
