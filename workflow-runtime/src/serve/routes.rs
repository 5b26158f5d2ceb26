//! What is answered at which address.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::acting::{Act, allow, role_for};
use super::api;
use super::console::{Console, Inner};
use super::pages;
use super::problem::Trouble;
use super::query::{Listed, Query, encoded};
use super::safety::{Role, Session, guarded, is_from_elsewhere};
use super::view::RunPage;
use crate::inspect::user;
use crate::inspect::wishes::Wish;
use crate::operation::{By, ExactOperation};
use crate::store::StoredRun;

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
        .route("/runs/{id}/act", get(act).post(do_act))
        .route("/login", get(login).post(sign_in))
        .route("/console.css", get(async || asset("text/css; charset=utf-8", CSS)))
        .route("/console.js", get(async || asset("text/javascript; charset=utf-8", JS)))
        .route("/healthz", get(async || plain("ok\n")))
        .route("/readyz", get(ready))
        .route("/api/v1/runs", get(api_runs).post(api_start))
        .route("/api/v1/runs/{id}", get(api_run))
        .route("/api/v1/runs/{id}/operations", post(api_operate))
        .route("/api/v1/runs/{id}/graph", get(api_graph))
        .route("/api/v1/runs/{id}/step", get(api_step))
        .fallback(nothing)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(inner.clone(), guard))
        .with_state(inner)
}

/// Lets in who may, and has browsers keep to what is sent.
async fn guard(State(inner): Shared, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let path = path.as_str();
    // What says nothing of any run.
    let is_free = matches!(path, "/healthz" | "/readyz" | "/login" | "/console.css" | "/console.js");
    let is_page = !path.starts_with("/api/");
    let session = inner.access.session(request.headers());
    if let Session::Open(role) = session {
        request.extensions_mut().insert(role);
    }
    let response = match session {
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
        let list = inner.blocking(move |inner| inner.list(&asked)).await?;
        Ok(pages::runs(&inner, &listed, &list))
    };
    page(&inner, answer.await)
}

/// A run, and what is in its way.
async fn told(inner: &Arc<Inner>, id: String) -> Result<RunPage, Trouble> {
    let wanted = id.clone();
    let outlook = match inner.blocking(move |inner| inner.doubtful(&wanted)).await? {
        Some(run) => Some(inner.outlook(&run).await?),
        None => None,
    };
    inner.blocking(move |inner| inner.run(&id, outlook.as_ref())).await
}

async fn run(
    State(inner): Shared,
    Extension(role): Extension<Role>,
    Path(id): Path<String>,
    uri: Uri,
) -> Response {
    let answer = async {
        let query = Query::parse(uri.query())?;
        query.only(&["all", "under", "from"])?;
        let shown = pages::Shown {
            all: query.get("all").is_some(),
            under: query.get("under").map(str::to_owned),
            from: query.number("from")?.unwrap_or(0),
        };
        Ok(pages::run(&inner, &told(&inner, id).await?, &shown, role))
    };
    page(&inner, answer.await)
}

async fn step(
    State(inner): Shared,
    Extension(role): Extension<Role>,
    Path(id): Path<String>,
    uri: Uri,
) -> Response {
    let answer = async {
        let path = step_path(&uri)?;
        let step = inner.blocking(move |inner| inner.step(&id, &path)).await?;
        Ok(pages::step(&inner, &step, role))
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
        Ok(api::json(&inner.blocking(move |inner| inner.list(&listed)).await?))
    };
    document(answer.await)
}

async fn api_run(State(inner): Shared, Path(id): Path<String>) -> Response {
    document(told(&inner, id).await.map(|page| api::json(&page.run)))
}

async fn api_graph(State(inner): Shared, Path(id): Path<String>) -> Response {
    let answer = inner.blocking(move |inner| inner.run(&id, None)).await.and_then(|page| {
        let picture = page.picture.ok_or_else(|| Trouble::not_found("the graph of this run is not known"))?;
        Ok(api::json(&picture))
    });
    document(answer)
}

async fn api_step(State(inner): Shared, Path(id): Path<String>, uri: Uri) -> Response {
    let answer = async {
        let path = step_path(&uri)?;
        Ok(api::json(&inner.blocking(move |inner| inner.step(&id, &path)).await?))
    };
    document(answer.await)
}

/// What an operation would do to a run, and the form for it.
async fn act(
    State(inner): Shared,
    Extension(role): Extension<Role>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let answer = async {
        let query = Query::parse(uri.query())?;
        query.only(&["do", "step", "signal"])?;
        let (form, _) = form(&inner, role, id, &headers, &query).await?;
        Ok(pages::act(&inner, &form))
    };
    page(&inner, answer.await)
}

/// A form as far as it is filled in, with what it would do, and the run that it
/// is about.
async fn form(
    inner: &Arc<Inner>,
    role: Role,
    id: String,
    headers: &HeaderMap,
    query: &Query,
) -> Result<(pages::ActForm, StoredRun), Trouble> {
    let act = Act::named(query.get("do").ok_or_else(|| Trouble::usage("`do` says what is to be done"))?)?;
    act.allow(role)?;
    if act.of_step && query.get("step").is_none() {
        return Err(Trouble::usage("`step` says which step"));
    }
    let run = inner.blocking(move |inner| inner.found(&id)).await?;
    let has_token = inner.access.has_tokens();
    let step = query.get("step").map(str::to_owned);
    let signal = query.get("signal").unwrap_or_default().to_owned();
    let preview = match act.has_value {
        // What it does depends on the value, which is not there yet.
        true => None,
        false => {
            let operation = wish(act, query).operation(&inner.workflows, &run)?;
            Some(inner.preview(&run, &operation).await)
        }
    };
    let actor = query.get("as").map(str::to_owned);
    let form = pages::ActForm {
        act,
        value_type: inner.value_type(&run, act, step.as_deref(), &signal),
        run: run.id.clone(),
        workflow: run.workflow.clone(),
        step,
        signal,
        value: query.get("value").unwrap_or_default().to_owned(),
        reason: query.get("reason").unwrap_or_default().to_owned(),
        actor: actor.unwrap_or_else(|| if has_token { role.name().to_owned() } else { user::name() }),
        form_token: inner.access.form_token(headers),
        preview,
        trouble: None,
    };
    Ok((form, run))
}

fn wish<'a>(act: &'static Act, query: &'a Query) -> Wish<'a> {
    Wish {
        name: act.name,
        step: query.get("step"),
        signal: query.get("signal").unwrap_or_default(),
        key: None,
        value: query.get("value").unwrap_or_default(),
        again: Vec::new(),
        even_if_done: false,
    }
}

/// Has it done.
async fn do_act(
    State(inner): Shared,
    Extension(role): Extension<Role>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
            return Err(Trouble::too_large("the form is too large"));
        };
        let query = Query::form(&body);
        query.only(&["do", "step", "signal", "value", "reason", "as", "form"])?;
        let own = inner.access.form_token(&headers);
        if is_from_elsewhere(&headers) || own.is_none() || query.get("form") != own.as_deref() {
            return Err(Trouble::forbidden(
                "this form is not of this console, or of one that has ended since",
            )
            .help("open the run's page again"));
        }
        let (mut form, run) = form(&inner, role, id, &headers, &query).await?;
        let by =
            By { actor: form.actor.clone(), reason: Some(form.reason.clone()).filter(|why| !why.is_empty()) };
        let done = match wish(form.act, &query).operation(&inner.workflows, &run) {
            Ok(operation) => inner.ask(Some(run.id), &operation, by).await,
            Err(problem) => Err(problem.into()),
        };
        Ok(match done {
            Ok(id) => to(&inner.at(&format!("/runs/{}", encoded(&id)))),
            Err(trouble) => {
                form.trouble = Some(trouble);
                pages::act(&inner, &form)
            }
        })
    };
    page(&inner, answer.await)
}

/// A document that was sent, from a program or a page of this console's.
async fn sent<T: serde::de::DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Trouble> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // A form of somebody else's cannot be of this type.
    if kind.split(';').next().map(str::trim) != Some("application/json") || is_from_elsewhere(headers) {
        return Err(Trouble::usage("a document is sent as `content-type: application/json`"));
    }
    let body = to_bytes(body, LONGEST_BODY).await;
    let body =
        body.map_err(|_| Trouble::too_large(format!("a document has at most {LONGEST_BODY} bytes")))?;
    serde_json::from_slice(&body)
        .map_err(|error| Trouble::usage(format!("the document cannot be read: {error}")))
}

/// A run to be started.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Started {
    workflow: String,
    #[serde(default)]
    params: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    actor: Option<String>,
}

/// Something to be done to a run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operated {
    operation: ExactOperation,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    actor: Option<String>,
}

async fn api_start(
    State(inner): Shared,
    Extension(role): Extension<Role>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        allow(role, Role::Operator)?;
        let Started { workflow, params, reason, actor } = sent(&headers, body).await?;
        let key = match headers.get("idempotency-key").map(HeaderValue::to_str) {
            None => None,
            Some(Ok(key)) if !key.is_empty() => Some(key.to_owned()),
            Some(_) => return Err(Trouble::usage("`Idempotency-Key` is a text of visible characters")),
        };
        let operation = ExactOperation::Start { workflow, params, key };
        let by = By { actor: actor.unwrap_or_else(|| role.name().to_owned()), reason };
        let id = inner.ask(None, &operation, by).await?;
        Ok(api::created(&json!({ "id": id }), &inner.at(&format!("/api/v1/runs/{id}"))))
    };
    document(answer.await)
}

async fn api_operate(
    State(inner): Shared,
    Extension(role): Extension<Role>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Response {
    let answer = async {
        let query = Query::parse(uri.query())?;
        query.only(&["dry_run"])?;
        let Operated { operation, reason, actor } = sent(&headers, body).await?;
        allow(role, role_for(&operation))?;
        if matches!(operation, ExactOperation::Start { .. } | ExactOperation::Backfill { .. }) {
            return Err(
                Trouble::usage("this is about no run that is there").help("`POST /api/v1/runs` starts one")
            );
        }
        let run = inner.blocking(move |inner| inner.found(&id)).await?;
        match query.get("dry_run") {
            Some("true") => return Ok(api::json(&inner.preview(&run, &operation).await?)),
            Some(other) => {
                return Err(Trouble::usage(format!("`dry_run` is `true` or not there, and not `{other}`")));
            }
            None => {}
        }
        let by = By { actor: actor.unwrap_or_else(|| role.name().to_owned()), reason };
        let id = inner.ask(Some(run.id), &operation, by).await?;
        Ok(api::json(&json!({ "id": id })))
    };
    document(answer.await)
}

async fn login(State(inner): Shared) -> Response {
    pages::login(&inner, StatusCode::OK)
}

/// Takes the token from the form.
async fn sign_in(State(inner): Shared, headers: HeaderMap, body: Body) -> Response {
    // A page of somebody else's signs nobody in.
    if is_from_elsewhere(&headers) {
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
    document(inner.blocking(Inner::is_ready).await.map(|()| plain("ready\n")))
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
