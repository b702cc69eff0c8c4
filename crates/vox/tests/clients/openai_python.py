"""The official OpenAI client for Python against a vox node; nothing is set but base URL and key."""

import os
import time

import openai

URL, KEY, LIMITED_KEY = os.environ["BASE_URL"], os.environ["KEY"], os.environ["LIMITED_KEY"]
MODEL = "openai/gpt-5-mini"
ASK = [{"role": "user", "content": "What is the answer?"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]

client = openai.OpenAI(base_url=URL, api_key=KEY)
patient = client.with_options(max_retries=1)
impatient = client.with_options(max_retries=0)


def raises(error, call):
    try:
        call()
    except error as raised:
        assert type(raised) is error, type(raised)
        return raised
    raise AssertionError(f"{error.__name__} was not raised")


answer = client.chat.completions.create(model=MODEL, messages=ASK)
assert answer.choices[0].message.content == "The answer is forty two."
assert answer.usage.prompt_tokens == 10 and answer.usage.completion_tokens == 5
print("ok chat")

text, usage = "", None
for chunk in client.chat.completions.create(model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}):
    text += chunk.choices[0].delta.content or "" if chunk.choices else ""
    usage = chunk.usage or usage
assert text == "The answer is forty two." and usage.completion_tokens == 5, (text, usage)
chunks = list(client.chat.completions.create(model=MODEL, messages=ASK, stream=True))
assert all(chunk.usage is None for chunk in chunks) and chunks[-1].choices[0].finish_reason == "stop"
print("ok stream")

first = client.chat.completions.create(model=MODEL, messages=ASK, tools=TOOLS).choices[0]
call = first.message.tool_calls[0]
assert first.finish_reason == "tool_calls" and call.function.name == "weather" and '"Kyiv"' in call.function.arguments
turn = [*ASK, first.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
assert client.chat.completions.create(model=MODEL, messages=turn, tools=TOOLS).choices[0].message.content.startswith("The answer")
with client.chat.completions.stream(model=MODEL, messages=ASK, tools=TOOLS) as stream:
    final = stream.get_final_completion().choices[0].message
assert final.tool_calls[0].function.arguments == '{"city":"Kyiv","days":[1,2]}', final
print("ok tools")

vector = client.embeddings.create(model="openai/text-embedding-3-small", input="words").data[0].embedding
assert vector == [0.5, -2.0], vector
print("ok embeddings")

ids = [model.id for model in client.models.list()]
assert MODEL in ids and "vox/auto" in ids, ids
assert client.models.retrieve("vox/auto").id == "vox/auto"
print("ok models")

ask = impatient.chat.completions.create
raises(openai.AuthenticationError, lambda: openai.OpenAI(base_url=URL, api_key="vox_nobody").chat.completions.create(model=MODEL, messages=ASK))
limited = openai.OpenAI(base_url=URL, api_key=LIMITED_KEY)
raises(openai.PermissionDeniedError, lambda: limited.chat.completions.create(model=MODEL, messages=ASK))
unknown = raises(openai.NotFoundError, lambda: ask(model="gpt-5-mimi", messages=ASK))
assert unknown.code == "route.model_unknown" and "gpt-5-mini" in unknown.message, unknown
raises(openai.BadRequestError, lambda: ask(model=MODEL, messages=ASK, extra_headers={"x-vox-complexity": "much"}))
busy = raises(openai.RateLimitError, lambda: ask(model="openai/always-busy", messages=ASK))
assert busy.response.headers["retry-after"] == "7" and busy.code == "gateway.upstream_rate_limited", busy
raises(openai.InternalServerError, lambda: ask(model="openai/down", messages=ASK))
print("ok errors")

started = time.monotonic()
assert patient.chat.completions.create(model="openai/busy-once", messages=ASK).choices[0].message.content
assert 0.9 < time.monotonic() - started < 5
print("ok retry-after")

seen = ""
try:
    for chunk in client.chat.completions.create(model="openai/breaks-off", messages=ASK, stream=True):
        seen += chunk.choices[0].delta.content or "" if chunk.choices else ""
    raise AssertionError("a broken stream looked complete")
except openai.APIError as error:
    assert error.code == "gateway.upstream_cut", error
assert seen.startswith("one two")
print("ok broken stream")
