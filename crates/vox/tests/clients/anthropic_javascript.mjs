// The official Anthropic client for JavaScript against a vox node; nothing is set but base URL and key.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const { BASE_URL: baseURL, KEY: apiKey, LIMITED_KEY, CLIENTS } = process.env;
const { default: Anthropic } = createRequire(path.resolve(CLIENTS, "x.js"))("@anthropic-ai/sdk");
const model = "anthropic/claude-haiku-4-5";
const messages = [{ role: "user", content: "What is the answer?" }];
const tools = [{ name: "weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }];

const client = new Anthropic({ baseURL, apiKey });
const ask = (body, options = { maxRetries: 0 }) => client.messages.create({ model, max_tokens: 64, messages, ...body }, options);
const streamed = (body) => client.messages.stream({ model, max_tokens: 64, messages, ...body });

async function raises(kind, call) {
  try {
    await call();
  } catch (error) {
    assert.equal(error.constructor, kind, String(error));
    return error;
  }
  assert.fail(`${kind.name} was not raised`);
}

const answer = await ask();
assert.deepEqual([answer.content[0].text, answer.stop_reason], ["The answer is forty two.", "end_turn"]);
assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [10, 5]);
console.log("ok chat");

let text = "";
const message = await streamed({}).on("text", (piece) => (text += piece)).finalMessage();
assert.equal(text, "The answer is forty two.");
assert.equal(message.usage.output_tokens, 5);
console.log("ok stream");

const first = await ask({ tools });
const call = first.content[0];
assert.deepEqual([first.stop_reason, call.name, call.input.city], ["tool_use", "weather", "Kyiv"]);
const result = { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "sunny" }] };
const turn = [...messages, { role: "assistant", content: first.content }, result];
assert.match((await ask({ tools, messages: turn })).content[0].text, /^The answer/);
assert.deepEqual((await streamed({ tools }).finalMessage()).content[0].input, { city: "Kyiv", days: [1, 2] });
console.log("ok tools");

const ids = [];
for await (const { id } of client.models.list({ limit: 5 })) ids.push(id);
assert.ok(ids.includes(model) && ids.includes("vox/auto") && ids.length > 5, ids.join());
assert.equal((await client.models.retrieve("vox/auto")).id, "vox/auto");
console.log("ok models");

const as = (key) => new Anthropic({ baseURL, apiKey: key, maxRetries: 0 }).messages.create({ model, max_tokens: 64, messages });
await raises(Anthropic.AuthenticationError, () => as("vox_nobody"));
await raises(Anthropic.PermissionDeniedError, () => as(LIMITED_KEY));
const unknown = await raises(Anthropic.NotFoundError, () => ask({ model: "claude-haiku-4-6" }));
assert.equal(unknown.error.error.type, "not_found_error");
await raises(Anthropic.BadRequestError, () => ask({}, { headers: { "x-vox-complexity": "much" } }));
const busy = await raises(Anthropic.RateLimitError, () => ask({ model: "anthropic/always-busy" }));
assert.equal(busy.headers.get("retry-after"), "7");
await raises(Anthropic.InternalServerError, () => ask({ model: "anthropic/down" }));
console.log("ok errors");

const started = performance.now();
assert.ok((await ask({ model: "anthropic/busy-once" }, { maxRetries: 1 })).content.length);
const took = performance.now() - started;
assert.ok(took > 900 && took < 5000, String(took));
console.log("ok retry-after");

let seen = "";
const broken = await raises(Anthropic.APIError, async () => {
  await streamed({ model: "anthropic/breaks-off" }).on("text", (piece) => (seen += piece)).finalMessage();
});
assert.match(JSON.stringify(broken.error ?? broken.message), /upstream_cut/);
assert.match(seen, /^one two/);
console.log("ok broken stream");
