//! From a file of daily weather to a report with a chart for each year.
//!
//! ```text
//! cargo run --example weather                      # writes to target/weather
//! cargo run --example weather -- FOLDER [CSV FILE]
//! ```
//!
//! Look at the `for` in the workflow: a region of steps for each year, two
//! years at a time, whose values come back in order as a `Vec`. The `if` in it
//! runs a step only for years that are unlike the others. `draw` computes
//! without ever waiting, so it is `blocking` and gets a thread of its own.

use std::error::Error;
use std::fmt::Write;
use std::num::ParseFloatError;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, io};

use examples::exit;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use workflow_runtime::app::watch;
use workflow_runtime::{Engine, task, workflow};

/// By how many degrees a year has to differ to be called unusual.
const UNUSUAL: f64 = 1.0;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Day {
    date: Date,
    rain: f64,
    high: f64,
    low: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Year {
    number: i16,
    days: Vec<Day>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Summary {
    days: usize,
    mean: f64,
    wet_days: usize,
    rain: f64,
    wettest: Day,
    hottest: Day,
}

/// What the report says about one year.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Chapter {
    year: i16,
    summary: Summary,
    chart: PathBuf,
    warning: String,
}

/// All that is to be said, and where it is written.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    normal: Summary,
    chapters: Vec<Chapter>,
    file: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum WeatherError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("line {number}")]
    Line { number: usize, source: LineError },
    #[error("there is not one day in the file")]
    Empty,
}

#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("there are fewer than four columns")]
    Columns,
    #[error("`{text}` is no date")]
    Date { text: String, source: jiff::Error },
    #[error("`{text}` is no number")]
    Number { text: String, source: ParseFloatError },
}

#[task]
async fn read(path: &Path) -> Result<String, WeatherError> {
    let text = tokio::fs::read_to_string(path).await;
    text.map_err(|source| WeatherError::Read { path: path.to_owned(), source })
}

#[task]
async fn parse(csv: &str) -> Result<Vec<Day>, WeatherError> {
    let lines = csv.lines().zip(1..).skip(1);
    lines.map(|(line, number)| day(line).map_err(|source| WeatherError::Line { number, source })).collect()
}

#[task]
async fn split(days: &[Day]) -> Vec<Year> {
    let years = days.chunk_by(|a, b| a.date.year() == b.date.year());
    years.map(|days| Year { number: days[0].date.year(), days: days.to_vec() }).collect()
}

#[task]
async fn summarise(days: &[Day]) -> Result<Summary, WeatherError> {
    // Of equals, `max_by` takes the last; a record is set by the first.
    let backwards = || days.iter().rev();
    let wettest = backwards().max_by(|a, b| a.rain.total_cmp(&b.rain)).ok_or(WeatherError::Empty)?;
    let hottest = backwards().max_by(|a, b| a.high.total_cmp(&b.high)).ok_or(WeatherError::Empty)?;
    Ok(Summary {
        days: days.len(),
        mean: days.iter().map(Day::mean).sum::<f64>() / days.len() as f64,
        wet_days: days.iter().filter(|day| day.rain > 0.0).count(),
        rain: days.iter().map(|day| day.rain).sum(),
        wettest: wettest.clone(),
        hottest: hottest.clone(),
    })
}

#[task]
async fn warn(year: &Summary, normal: &Summary) -> String {
    let difference = year.mean - normal.mean;
    let word = if difference > 0.0 { "warmer" } else { "colder" };
    format!("{:.1} °C {word} than the {:.1} °C of all days", difference.abs(), normal.mean)
}

/// A stroke for each day, from its lowest to its highest temperature, and one
/// for its rain.
#[task(blocking)]
fn draw(year: &Year, normal: &Summary) -> String {
    let (width, height, left) = (3 * 366 + 60, 300, 40);
    let y = |celsius: f64| 200.0 - 4.0 * celsius;
    let (mut heat, mut rain, mut grid) = (String::new(), String::new(), String::new());
    for day in &year.days {
        let x = left + 3 * i32::from(day.date.day_of_year());
        // Writing to a `String` cannot fail.
        let _ = write!(heat, "M{x} {:.1}V{:.1}", y(day.low), y(day.high));
        if day.rain > 0.0 {
            let _ = write!(rain, "M{x} {height}V{:.1}", f64::from(height) - day.rain);
        }
    }
    for celsius in [-10, 0, 10, 20, 30, 40] {
        let y = y(f64::from(celsius));
        let _ = write!(
            grid,
            r##"<path d="M{left} {y}H{width}" stroke="#ddd"/><text x="0" y="{y}">{celsius} °C</text>"##
        );
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<g fill="#666">{grid}</g>
<path d="M{left} {mean:.1}H{width}" stroke="#222" stroke-dasharray="4"/>
<path d="{heat}" stroke="#e4572e" stroke-width="2"/>
<path d="{rain}" stroke="#2e86ab" stroke-width="2"/>
<text x="{left}" y="16" font-size="16">Seattle, {number}</text>
</svg>
"##,
        mean = y(normal.mean),
        number = year.number,
    )
}

#[task]
async fn write_up(chapters: &[Chapter], normal: &Summary) -> String {
    let mut text = format!("# The weather of {} days\n\n{}", normal.days, table(chapters, normal));
    for chapter in chapters {
        let _ = write!(text, "\n## {}\n\n", chapter.year);
        if !chapter.warning.is_empty() {
            let _ = write!(text, "**An unusual year:** {}.\n\n", chapter.warning);
        }
        let chart = chapter.chart.file_name().unwrap_or_default().display();
        let _ = writeln!(text, "![highest and lowest temperature and rain of each day]({chart})");
    }
    text
}

#[task]
async fn save(folder: &Path, name: String, content: &str) -> Result<PathBuf, WeatherError> {
    let path = folder.join(name);
    let written = async {
        tokio::fs::create_dir_all(folder).await?;
        tokio::fs::write(&path, content).await
    };
    match written.await {
        Ok(()) => Ok(path),
        Err(source) => Err(WeatherError::Write { path, source }),
    }
}

workflow! {
    /// Report on the weather of every year in a file.
    pub fn weather(csv: PathBuf, folder: PathBuf) -> Result<Report> {
        let text = read(&csv)?;
        let days = parse(&text)?;
        let normal = summarise(&days)?;     // beside `years`
        let years = split(&days);

        #[limit(2)]
        let chapters: Vec<Chapter> = for year in years {
            let summary = summarise(&year.days)?;
            let drawing = draw(&year, &normal);     // beside `summary`
            let chart = save(&folder, format!("{}.svg", year.number), &drawing)?;
            let warning = if summary.is_unlike(&normal) {
                warn(&summary, &normal)
            } else {
                String::new()
            };
            Chapter { year: year.number, summary: summary.clone(), chart: chart.clone(), warning: warning.clone() }
        };

        let markdown = write_up(&chapters, &normal);
        let file = save(&folder, "report.md".to_owned(), &markdown)?;
        Ok(Report { normal: normal.clone(), chapters: chapters.clone(), file: file.clone() })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(report().await)
}

async fn report() -> Result<(), Box<dyn Error>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let folder = args.next().unwrap_or_else(|| project.join("target/weather"));
    let csv = args.next().unwrap_or_else(|| project.join("examples/data/seattle-weather.csv"));

    let engine = Engine::in_memory().start().await?;
    let run = engine.start(weather(csv, folder)).await?;
    let report = watch(run).await?;

    println!("{}", table(&report.chapters, &report.normal));
    for chapter in report.chapters.iter().filter(|chapter| !chapter.warning.is_empty()) {
        println!("{} was unusual: {}.", chapter.year, chapter.warning);
    }
    println!("The report is {}, with {} charts beside it.", report.file.display(), report.chapters.len());
    Ok(())
}

impl Day {
    fn mean(&self) -> f64 {
        f64::midpoint(self.high, self.low)
    }
}

impl Summary {
    fn is_unlike(&self, normal: &Summary) -> bool {
        (self.mean - normal.mean).abs() > UNUSUAL
    }

    fn row(&self, title: &str) -> String {
        format!(
            "| {title:<4} | {:>5} | {:>7.1} | {:>8} | {:>7.1} | {} ({:>4.1} mm) | {} ({:.1} °C) |\n",
            self.days,
            self.mean,
            self.wet_days,
            self.rain,
            self.wettest.date,
            self.wettest.rain,
            self.hottest.date,
            self.hottest.high,
        )
    }
}

/// As Markdown, which reads well in a terminal too.
fn table(chapters: &[Chapter], normal: &Summary) -> String {
    let mut table = "| year |  days | mean °C | wet days | rain mm | wettest day          | hottest day          |\n\
                     |------|------:|--------:|---------:|--------:|----------------------|----------------------|\n"
        .to_owned();
    for chapter in chapters {
        table += &chapter.summary.row(&chapter.year.to_string());
    }
    table + &normal.row("all")
}

/// `2012-01-04,20.3,12.2,5.6,…`
fn day(line: &str) -> Result<Day, LineError> {
    let mut columns = line.split(',');
    let mut next = || columns.next().ok_or(LineError::Columns);
    Ok(Day { date: date(next()?)?, rain: number(next()?)?, high: number(next()?)?, low: number(next()?)? })
}

fn date(text: &str) -> Result<Date, LineError> {
    text.parse().map_err(|source| LineError::Date { text: text.to_owned(), source })
}

fn number(text: &str) -> Result<f64, LineError> {
    text.parse().map_err(|source| LineError::Number { text: text.to_owned(), source })
}
