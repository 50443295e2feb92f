// The published npm package, unmodified: node altogic.mjs URL TOKEN
import { createClient } from "altogic";

const [url, token] = process.argv.slice(2);
const altogic = createClient(url, "any client key", { apiKey: `Token ${token}` });

const first = await altogic.task.runOnce("billOnDemand");
let last = await altogic.task.getTaskStatus(first.info.taskId);
for (let look = 0; look < 200 && ["pending", "processing"].includes(last.info?.status); look++) {
  await new Promise((done) => setTimeout(done, 100));
  last = await altogic.task.getTaskStatus(first.info.taskId);
}
const unknown = await altogic.task.runOnce("nope");
const lost = await altogic.task.getTaskStatus("0199d0f6-3c5e-7b1a-9d4e-2f6a8c1b3d5e");
const stranger = await createClient(url, "key", { apiKey: "Token wrong" }).task.runOnce("billOnDemand");
console.log(JSON.stringify({ first, last, unknown, lost, stranger }));
process.exit(0);
