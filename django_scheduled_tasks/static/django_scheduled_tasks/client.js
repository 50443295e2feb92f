/* import { agnost } from "./client.js";           // or: const agnost = connect(url, { token: "…" })
   const { info, errors } = await agnost.task("billOnDemand").runOnce();
   await agnost.task("billOnDemand").wait(info.trackingId);
   One of info and errors is null; only a broken network rejects. */

const cookie = (name) =>
  globalThis.document?.cookie.split("; ").find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Options: token, headers, csrfToken, csrfCookie (Django's CSRF_COOKIE_NAME), fetch. */
export function connect(url = "/api/scheduled-tasks/", options = {}) {
  const base = url.replace(/\/*$/, "/");

  async function send(path, { method = "GET", headers, body, signal } = {}) {
    const sent = { Accept: "application/json", ...options.headers, ...headers };
    if (options.token) sent.Authorization = `Token ${options.token}`;
    if (body) {
      const field = globalThis.document?.querySelector("[name=csrfmiddlewaretoken]");
      const csrf = options.csrfToken ?? cookie(options.csrfCookie ?? "csrftoken") ?? field?.value;
      if (csrf) sent["X-CSRFToken"] = csrf;
      sent["Content-Type"] = "application/json";
    }
    return (options.fetch ?? fetch)(base + path, { method, headers: sent, body, signal });
  }

  async function call(path, sent) {
    const response = await send(path, sent);
    return response.json().catch(() => {
      const { status, statusText } = response;
      const message = `No JSON, but status ${status}.`;
      const items = [{ origin: "server_error", code: "error", message, details: {} }];
      return { info: null, errors: { status, statusText, items } };
    });
  }

  return {
    task(name) {
      const path = `tasks/${encodeURIComponent(name)}/`;
      const status = (id, query = "", rest = {}) => call(`${path}status/${encodeURIComponent(id)}/${query}`, rest);
      return {
        /** Options: params, reason, notBefore, overlap, idempotencyKey. */
        runOnce({ idempotencyKey, ...body } = {}) {
          const headers = idempotencyKey && { "Idempotency-Key": idempotencyKey };
          return call(`${path}run-once/`, { method: "POST", headers, body: JSON.stringify(body) });
        },
        getTaskStatus: (trackingId) => status(trackingId),
        /** Options: timeout in milliseconds; signal. */
        async wait(trackingId, { timeout = Infinity, signal } = {}) {
          const end = Date.now() + timeout;
          for (;;) {
            const began = Date.now();
            const wait = Math.max(0, Math.min(25, (end - began) / 1e3)) | 0;
            const answer = await status(trackingId, `?wait=${wait}`, { signal });
            if (answer.errors || "completedAt" in answer.info || Date.now() >= end) return answer;
            await sleep(Math.min(began + 1e3, end) - Date.now());
          }
        },
        /** Yields { event, data } until the end: a "log" line, or an answer ("status", "progress", "error").
            Where the server streams nothing it polls, without lines. Options: signal. */
        async *stream(trackingId, { signal } = {}) {
          for (let last = ""; ; await sleep(1e3)) {
            const headers = { ...(last && { "Last-Event-ID": last }), Accept: "text/event-stream" };
            const response = await send(`executions/${encodeURIComponent(trackingId)}/events/`, { headers, signal });
            if (response.status === 204) return;
            if (!response.ok) break;
            const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
            try {
              for (let text = "", part; !(part = await reader.read()).done; ) {
                const found = (text + part.value).split("\n\n");
                text = found.pop();
                for (const one of found) {
                  const [, event, id, data] = one.match(/^event: (.*)\nid: (.*)\ndata: (.*)$/) ?? [];
                  if (!event) continue;
                  last = id;
                  const said = { event, data: JSON.parse(data) };
                  yield said;
                  if (said.data.errors || "completedAt" in (said.data.info ?? {})) return;
                }
              }
            } catch (error) {
              if (signal?.aborted || error instanceof SyntaxError) throw error;
            } finally {
              reader.cancel().catch(() => {});
            }
          }
          for (let before; ; await sleep(1e3)) {
            const data = await status(trackingId, "", { signal });
            const now = JSON.stringify(data);
            if (now !== before) yield { event: data.errors ? "error" : "status", data };
            if (data.errors || "completedAt" in data.info) return;
            before = now;
          }
        },
      };
    },
  };
}

/** With <html data-scheduled-tasks-url="…">, for that address. */
export const agnost = connect(globalThis.document?.documentElement.dataset.scheduledTasksUrl);
