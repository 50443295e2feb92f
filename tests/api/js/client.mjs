// Our own module under Node: node client.mjs MODULE URL TOKEN
const [module, url, token] = process.argv.slice(2);
const { connect } = await import(module);
const agnost = connect(url, { token });
const found = {};

const taskName = "billOnDemand";
{
  const { info, errors } = await agnost.task(taskName).runOnce();
  found.first = { info, errors };
}
const { trackingId } = found.first.info;
found.last = await agnost.task(taskName).wait(trackingId, { timeout: 20000 });
{
  const { info, errors } = await agnost.task(taskName).getTaskStatus(trackingId);
  found.status = { info, errors };
}
const key = { idempotencyKey: "one", params: { seconds: 0.02 }, reason: "a test" };
found.keyed = [await agnost.task(taskName).runOnce(key), await agnost.task(taskName).runOnce(key)];
await agnost.task(taskName).wait(found.keyed[0].info.trackingId, { timeout: 20000 });
found.spaces = await agnost.task("Rebuild search index / all").runOnce();
found.unknown = await agnost.task("nope").runOnce();
found.wrong = await agnost.task(taskName).runOnce({ params: { seconds: "many" } });
found.stranger = await connect(url, { token: "wrong" }).task(taskName).runOnce();
const later = new Date(Date.now() + 3600000).toISOString();
found.waiting = await agnost.task(taskName).runOnce({ notBefore: later });
const before = Date.now();
found.impatient = await agnost.task(taskName).wait(found.waiting.info.trackingId, { timeout: 300 });
found.waited = Date.now() - before;
const aborting = new AbortController();
setTimeout(() => aborting.abort(), 200);
found.aborted = await agnost
  .task(taskName)
  .wait(found.waiting.info.trackingId, { signal: aborting.signal })
  .catch((error) => error.name);
const noJson = async () => new Response("<h1>Bad gateway</h1>", { status: 502, statusText: "Bad Gateway" });
found.proxy = await connect(url, { fetch: noJson }).task(taskName).getTaskStatus(trackingId);
const all = async (stream) => {
  const told = [];
  for await (const one of stream) told.push(one);
  return told;
};
// Under WSGI it polls.
found.polled = await all(agnost.task(taskName).stream(trackingId));
found.nobody = await all(connect(url, { token: "wrong" }).task(taskName).stream(trackingId));
// A server that streams, whose parts end anywhere, and whose first stream breaks off.
const asked = [];
const streaming = async (address, { headers }) => {
  asked.push([new URL(address).pathname, headers["Last-Event-ID"] ?? null]);
  const status = (id, info) => `event: status\nid: ${id}\ndata: ${JSON.stringify({ info, errors: null })}\n\n`;
  const parts =
    asked.length === 1
      ? ["retry: 1000\n\n", ": still here\n\neve", status("0-a", { status: "processing" }).slice(3), "event: log\nid: "]
      : [`event: log\nid: 1-a\ndata: {"message": "é"}\n`, "\n", status("1-b", { completedAt: "now" }), status("2-c", {})];
  return new Response(new Blob(parts).stream());
};
found.streamed = await all(connect(url, { fetch: streaming }).task(taskName).stream(trackingId));
found.asked = asked;
console.log(JSON.stringify(found));
