// The official OpenAI client for JavaScript against a vox node; nothing is set but base URL and key.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const { BASE_URL: baseURL, KEY: apiKey, LIMITED_KEY, CLIENTS } = process.env;
const { default: OpenAI } = createRequire(path.resolve(CLIENTS, "x.js"))("openai");
const model = "openai/gpt-5-mini";
const messages = [{ role: "user", content: "What is the answer?" }];
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } } }];

const client = new OpenAI({ baseURL, apiKey });
const ask = (body, options = { maxRetries: 0 }) => client.chat.completions.create({ model, messages, ...body }, options);

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
assert.equal(answer.choices[0].message.content, "The answer is forty two.");
assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens], [10, 5]);
console.log("ok chat");

let text = "";
let usage;
for await (const chunk of await ask({ stream: true, stream_options: { include_usage: true } })) {
  text += chunk.choices[0]?.delta.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.equal(text, "The answer is forty two.");
assert.equal(usage.completion_tokens, 5);
console.log("ok stream");

const first = (await ask({ tools })).choices[0];
const call = first.message.tool_calls[0];
assert.deepEqual([first.finish_reason, call.function.name], ["tool_calls", "weather"]);
const turn = [...messages, first.message, { role: "tool", tool_call_id: call.id, content: "sunny" }];
assert.match((await ask({ tools, messages: turn })).choices[0].message.content, /^The answer/);
const streamed = await client.chat.completions.stream({ model, messages, tools }).finalMessage();
assert.deepEqual(JSON.parse(streamed.tool_calls[0].function.arguments), { city: "Kyiv", days: [1, 2] });
console.log("ok tools");

const embedded = await client.embeddings.create({ model: "openai/text-embedding-3-small", input: "words" });
assert.deepEqual([...embedded.data[0].embedding], [0.5, -2]);
console.log("ok embeddings");

const ids = [];
for await (const { id } of client.models.list()) ids.push(id);
assert.ok(ids.includes(model) && ids.includes("vox/auto"), ids.join());
assert.equal((await client.models.retrieve("vox/auto")).id, "vox/auto");
console.log("ok models");

const as = (key) => new OpenAI({ baseURL, apiKey: key, maxRetries: 0 }).chat.completions.create({ model, messages });
await raises(OpenAI.AuthenticationError, () => as("vox_nobody"));
await raises(OpenAI.PermissionDeniedError, () => as(LIMITED_KEY));
const unknown = await raises(OpenAI.NotFoundError, () => ask({ model: "gpt-5-mimi" }));
assert.equal(unknown.code, "route.model_unknown");
await raises(OpenAI.BadRequestError, () => ask({}, { headers: { "x-vox-complexity": "much" } }));
const busy = await raises(OpenAI.RateLimitError, () => ask({ model: "openai/always-busy" }));
assert.equal(busy.headers.get("retry-after"), "7");
await raises(OpenAI.InternalServerError, () => ask({ model: "openai/down" }));
console.log("ok errors");

const started = performance.now();
assert.ok((await ask({ model: "openai/busy-once" }, { maxRetries: 1 })).choices[0].message.content);
const took = performance.now() - started;
assert.ok(took > 900 && took < 5000, String(took));
console.log("ok retry-after");

let seen = "";
const broken = await raises(OpenAI.APIError, async () => {
  for await (const chunk of await ask({ model: "openai/breaks-off", stream: true })) seen += chunk.choices[0]?.delta.content ?? "";
});
assert.equal(broken.code, "gateway.upstream_cut");
assert.match(seen, /^one two/);
console.log("ok broken stream");
