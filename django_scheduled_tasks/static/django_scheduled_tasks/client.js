/* import { agnost } from "./client.js";           // or: const agnost = connect(url, { token: "…" })
   const { info, errors } = await agnost.task("billOnDemand").runOnce();
   await agnost.task("billOnDemand").wait(info.trackingId);
   One of info and errors is null; only a broken network rejects. */

const cookie = (name) =>
  globalThis.document?.cookie.split("; ").find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);

/** Options: token, headers, csrfToken, csrfCookie (Django's CSRF_COOKIE_NAME), fetch. */
export function connect(url = "/api/scheduled-tasks/", options = {}) {
  const base = url.replace(/\/*$/, "/tasks/");

  async function call(path, { method = "GET", headers, body, signal } = {}) {
    const sent = { Accept: "application/json", ...options.headers, ...headers };
    if (options.token) sent.Authorization = `Token ${options.token}`;
    if (body) {
      const field = globalThis.document?.querySelector("[name=csrfmiddlewaretoken]");
      const csrf = options.csrfToken ?? cookie(options.csrfCookie ?? "csrftoken") ?? field?.value;
      if (csrf) sent["X-CSRFToken"] = csrf;
      sent["Content-Type"] = "application/json";
    }
    const response = await (options.fetch ?? fetch)(base + path, { method, headers: sent, body, signal });
    return response.json().catch(() => {
      const { status, statusText } = response;
      const message = `No JSON, but status ${status}.`;
      const items = [{ origin: "server_error", code: "error", message, details: {} }];
      return { info: null, errors: { status, statusText, items } };
    });
  }

  return {
    task(name) {
      const path = `${encodeURIComponent(name)}/`;
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
            await new Promise((done) => setTimeout(done, Math.min(began + 1e3, end) - Date.now()));
          }
        },
      };
    },
  };
}

/** With <html data-scheduled-tasks-url="…">, for that address. */
export const agnost = connect(globalThis.document?.documentElement.dataset.scheduledTasksUrl);
