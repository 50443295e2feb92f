/* Scheduled tasks from JavaScript: pages of the same site (session), Node and other sites (token).

     import { agnost } from "./client.js";       // or: const agnost = connect(url, { token: "…" })
     const { info, errors } = await agnost.task("billOnDemand").runOnce();
     await agnost.task("billOnDemand").getTaskStatus(info.trackingId);
     await agnost.task("billOnDemand").wait(info.trackingId);

   Each call resolves to { info, errors }; one of them is null. Only a broken network rejects. */

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
      const item = { origin: "server_error", code: "error", message: `No JSON, but status ${status}.`, details: {} };
      return { info: null, errors: { status, statusText, items: [item] } };
    });
  }

  return {
    task(name) {
      const path = `${encodeURIComponent(name)}/`;
      const status = (id, query = "", rest = {}) => call(`${path}status/${encodeURIComponent(id)}/${query}`, rest);
      return {
        /** Options: params, reason, notBefore, overlap; idempotencyKey makes a repeated call safe. */
        runOnce({ idempotencyKey, ...body } = {}) {
          const headers = idempotencyKey && { "Idempotency-Key": idempotencyKey };
          return call(`${path}run-once/`, { method: "POST", headers, body: JSON.stringify(body) });
        },
        getTaskStatus: (trackingId) => status(trackingId),
        /** Waits for the end. Options: timeout in milliseconds; signal, an AbortSignal. */
        async wait(trackingId, { timeout = Infinity, signal } = {}) {
          const end = Date.now() + timeout;
          for (;;) {
            const left = Math.max(0, end - Date.now());
            const answer = await status(trackingId, `?wait=${Math.floor(Math.min(25e3, left) / 1e3)}`, { signal });
            if (answer.errors || "completedAt" in answer.info || Date.now() >= end) return answer;
            if (left < 1e3) await new Promise((done) => setTimeout(done, Math.min(250, left)));
          }
        },
      };
    },
  };
}

/** For the address that the page names: <html data-scheduled-tasks-url="…">. */
export const agnost = connect(globalThis.document?.documentElement.dataset.scheduledTasksUrl);
