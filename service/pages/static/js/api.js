// The one way to the API from the browser. Every function throws ApiError; nothing is tried again in silence.
// A session that has ended leads to the sign-in page and back.

const BASE = "/api/v1";

/** What the server refused, or that it could not be reached (status 0). */
export class ApiError extends Error {
  constructor(status, code, message, body = null, retryAfter = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.body = body;
    /** Seconds to wait, of a 429; null otherwise. */
    this.retryAfter = retryAfter;
  }
}

/** Address of an API path, with query parameters; those that are empty, null or undefined are left out. */
function url(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return BASE + path + (text ? (path.includes("?") ? "&" : "?") + text : "");
}

function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

/** Take over a new token (after signing in, or when the server sends one). */
export function setCsrfToken(token) {
  const meta = document.querySelector('meta[name="csrf-token"]');
  if (meta && token) meta.content = token;
}

function leaveToSignIn() {
  if (location.pathname === "/login") return;
  location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
}

/** ApiError of a refused answer: status, headers by a getter, body as text. */
function refusal(status, header, text) {
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // a proxy's page or an empty body: the status alone is told
  }
  const error = body?.error ?? {};
  const message = error.message ?? `the server answered ${status}`;
  const wait = Number.parseInt(header("Retry-After") ?? "", 10);
  if (status === 401 && (error.code ?? "unauthenticated") === "unauthenticated") leaveToSignIn();
  return new ApiError(status, error.code ?? "error", message, body, Number.isFinite(wait) ? wait : null);
}

function unreachable() {
  return new ApiError(0, "unreachable", "the server cannot be reached; nothing was changed by this request");
}

/** The raw Response of a request, for headers or streams; refused ones throw. */
async function response(path, { method = "GET", params, body, headers = {}, signal } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (method !== "GET") sent["X-CSRF-Token"] = csrfToken();
  if (body !== undefined && !(body instanceof FormData)) sent["Content-Type"] = "application/json";
  const payload = body === undefined || body instanceof FormData ? body : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(url(path, params), {
      method, headers: sent, body: payload, signal, credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (!answer.ok) throw refusal(answer.status, (name) => answer.headers.get(name), await answer.text());
  setCsrfToken(answer.headers.get("X-CSRF-Token"));
  return answer;
}

async function json(path, options) {
  const answer = await response(path, options);
  if (answer.status === 204) return null;
  const text = await answer.text();
  return text === "" ? null : JSON.parse(text);
}

/** The bytes of a GET as an ArrayBuffer. */
async function bytes(path, options = {}) {
  return (await response(path, { ...options, headers: { Accept: "*/*" } })).arrayBuffer();
}

/** Send a form (FormData) with progress: onProgress(fraction 0 to 1). `signal` of an AbortController ends it. */
function upload(path, formData, onProgress = () => {}, signal = undefined) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url(path));
    request.setRequestHeader("X-CSRF-Token", csrfToken());
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("error", () => reject(unreachable()));
    request.addEventListener("abort", () => reject(new DOMException("ended by the user", "AbortError")));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) {
        setCsrfToken(request.getResponseHeader("X-CSRF-Token"));
        resolve(request.responseText === "" ? null : JSON.parse(request.responseText));
      } else {
        reject(refusal(request.status, (name) => request.getResponseHeader(name), request.responseText));
      }
    });
    signal?.addEventListener("abort", () => request.abort());
    request.send(formData);
  });
}

/**
 * Listen to server-sent events. `progress(data)` for each, `done(data)` once at the end, `error()` when the stream
 * ended before (the browser has given up). Returns a function that stops listening.
 */
function events(path, { progress = () => {}, done = () => {}, error = () => {} } = {}) {
  const source = new EventSource(url(path));
  const parse = (event) => (event.data ? JSON.parse(event.data) : null);
  source.addEventListener("progress", (event) => progress(parse(event)));
  source.addEventListener("done", (event) => {
    source.close();
    done(parse(event));
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) error();
  });
  return () => source.close();
}

export const api = {
  url,
  response,
  bytes,
  upload,
  events,
  get: (path, params, options = {}) => json(path, { ...options, params }),
  post: (path, body, options = {}) => json(path, { ...options, method: "POST", body }),
  put: (path, body, options = {}) => json(path, { ...options, method: "PUT", body }),
  patch: (path, body, options = {}) => json(path, { ...options, method: "PATCH", body }),
  del: (path, params, options = {}) => json(path, { ...options, method: "DELETE", params }),
};
