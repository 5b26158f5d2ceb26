//! What is answered at which address.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;

use super::api;
use super::console::{Console, Inner};
use super::pages;
use super::problem::Trouble;
use super::query::{Listed, Query};
use super::safety::{Session, guarded};
use super::view::RunPage;

/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 1 << 20;

const CSS: &str = include_str!("assets/console.css");
const JS: &str = include_str!("assets/console.js");

type Shared = State<Arc<Inner>>;
type Answer = Result<Response, Trouble>;

/// The pages of a console and its API, to be served or nested in a router of
/// one's own.
pub fn router(console: Console) -> Router {
    let inner = console.inner;
    Router::new()
        .route("/", get(runs))
        .route("/runs/{id}", get(run))
        .route("/runs/{id}/step", get(step))
        .route("/login", get(login).post(sign_in))
        .route("/console.css", get(async || asset("text/css; charset=utf-8", CSS)))
        .route("/console.js", get(async || asset("text/javascript; charset=utf-8", JS)))
        .route("/healthz", get(async || plain("ok\n")))
        .route("/readyz", get(ready))
        .route("/api/v1/runs", get(api_runs))
        .route("/api/v1/runs/{id}", get(api_run))
        .route("/api/v1/runs/{id}/graph", get(api_graph))
        .route("/api/v1/runs/{id}/step", get(api_step))
        .fallback(nothing)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(inner.clone(), guard))
        .with_state(inner)
}

/// Lets in who may, and has browsers keep to what is sent.
async fn guard(State(inner): Shared, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // What says nothing of any run.
    let is_free = matches!(path, "/healthz" | "/readyz" | "/login" | "/console.css" | "/console.js");
    let is_page = !path.starts_with("/api/");
    let response = match inner.access.session(request.headers()) {
        Session::Elsewhere if path != "/healthz" && path != "/readyz" => {
            let trouble = Trouble::forbidden("this console answers requests that name this machine")
                .help("open it as http://localhost:PORT, or give it a token");
            refused(&inner, is_page, &trouble)
        }
        Session::Stranger if !is_free && is_page && request.method() == Method::GET => {
            to(&inner.at("/login"))
        }
        Session::Stranger if !is_free => refused(&inner, is_page, &Trouble::unauthorized()),
        _ => next.run(request).await,
    };
    guarded(response)
}

fn refused(inner: &Inner, is_page: bool, trouble: &Trouble) -> Response {
    if is_page { pages::problem(inner, trouble) } else { api::problem(trouble) }
}

/// Reads from the store, on a thread for that.
async fn read<T: Send + 'static>(
    inner: &Arc<Inner>,
    read: impl FnOnce(&Inner) -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let inner = inner.clone();
    let read = tokio::task::spawn_blocking(move || read(&inner)).await;
    read.unwrap_or_else(|error| Err(Trouble::unavailable(format!("the store could not be read: {error}"))))
}

/// For people: what went wrong is a page.
fn page(inner: &Inner, answer: Answer) -> Response {
    answer.unwrap_or_else(|trouble| pages::problem(inner, &trouble))
}

/// For programs.
fn document(answer: Answer) -> Response {
    answer.unwrap_or_else(|trouble| api::problem(&trouble))
}

async fn runs(State(inner): Shared, uri: Uri) -> Response {
    let answer = async {
        let listed = Listed::of(&Query::parse(uri.query())?)?;
        let asked = listed.clone();
        let list = read(&inner, move |inner| inner.list(&asked)).await?;
        Ok(pages::runs(&inner, &listed, &list))
    };
    page(&inner, answer.await)
}

/// A run, and what is in its way.
async fn told(inner: &Arc<Inner>, id: String) -> Result<RunPage, Trouble> {
    let wanted = id.clone();
    let outlook = match read(inner, move |inner| inner.doubtful(&wanted)).await? {
        Some(run) => Some(inner.outlook(&run).await?),
        None => None,
    };
    read(inner, move |inner| inner.run(&id, outlook.as_ref())).await
}

async fn run(State(inner): Shared, Path(id): Path<String>, uri: Uri) -> Response {
    let answer = async {
        let query = Query::parse(uri.query())?;
        query.only(&["all", "under", "from"])?;
        let shown = pages::Shown {
            all: query.get("all").is_some(),
            under: query.get("under").map(str::to_owned),
            from: query.number("from")?.unwrap_or(0),
        };
        Ok(pages::run(&inner, &told(&inner, id).await?, &shown))
    };
    page(&inner, answer.await)
}

async fn step(State(inner): Shared, Path(id): Path<String>, uri: Uri) -> Response {
    let answer = async {
        let path = step_path(&uri)?;
        let step = read(&inner, move |inner| inner.step(&id, &path)).await?;
        Ok(pages::step(&inner, &step))
    };
    page(&inner, answer.await)
}

fn step_path(uri: &Uri) -> Result<String, Trouble> {
    let query = Query::parse(uri.query())?;
    query.only(&["path"])?;
    let path = query.get("path").ok_or_else(|| Trouble::usage("`path` says which step"))?;
    Ok(path.to_owned())
}

async fn api_runs(State(inner): Shared, uri: Uri) -> Response {
    let answer = async {
        let listed = Listed::of(&Query::parse(uri.query())?)?;
        Ok(api::json(&read(&inner, move |inner| inner.list(&listed)).await?))
    };
    document(answer.await)
}

async fn api_run(State(inner): Shared, Path(id): Path<String>) -> Response {
    document(told(&inner, id).await.map(|page| api::json(&page.run)))
}

async fn api_graph(State(inner): Shared, Path(id): Path<String>) -> Response {
    let answer = read(&inner, move |inner| inner.run(&id, None)).await.and_then(|page| {
        let picture = page.picture.ok_or_else(|| Trouble::not_found("the graph of this run is not known"))?;
        Ok(api::json(&picture))
    });
    document(answer)
}

async fn api_step(State(inner): Shared, Path(id): Path<String>, uri: Uri) -> Response {
    let answer = async {
        let path = step_path(&uri)?;
        Ok(api::json(&read(&inner, move |inner| inner.step(&id, &path)).await?))
    };
    document(answer.await)
}

async fn login(State(inner): Shared) -> Response {
    pages::login(&inner, StatusCode::OK)
}

/// Takes the token from the form.
async fn sign_in(State(inner): Shared, headers: HeaderMap, body: Body) -> Response {
    // A page of somebody else's signs nobody in.
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return pages::problem(&inner, &Trouble::forbidden("this form was sent from somewhere else"));
    }
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return pages::problem(&inner, &Trouble::too_large("the form is too large"));
    };
    let given = form_urlencoded::parse(&body).find(|(name, _)| name == "token");
    match given.and_then(|(_, token)| inner.access.sign_in(token.trim(), &inner.base)) {
        Some(cookie) => {
            let mut response = to(&inner.at("/"));
            response.headers_mut().insert(SET_COOKIE, cookie);
            response
        }
        None => pages::login(&inner, StatusCode::UNAUTHORIZED),
    }
}

async fn ready(State(inner): Shared) -> Response {
    document(read(&inner, Inner::is_ready).await.map(|()| plain("ready\n")))
}

async fn nothing(State(inner): Shared, uri: Uri) -> Response {
    let trouble = Trouble::not_found(format!("there is nothing at `{}`", uri.path()));
    refused(&inner, !uri.path().starts_with("/api/"), &trouble)
}

async fn no_method(State(inner): Shared, method: Method, uri: Uri) -> Response {
    let mut trouble = Trouble::usage(format!("`{}` does not take {method}", uri.path()));
    trouble.status = StatusCode::METHOD_NOT_ALLOWED;
    refused(&inner, !uri.path().starts_with("/api/"), &trouble)
}

/// Sends a browser on.
fn to(address: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let address = HeaderValue::from_str(address).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, address);
    response
}

fn plain(text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    response
}
