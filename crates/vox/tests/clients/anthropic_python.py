"""The official Anthropic client for Python against a vox node; nothing is set but base URL and key."""

import os
import time

import anthropic

URL, KEY, LIMITED_KEY = os.environ["BASE_URL"], os.environ["KEY"], os.environ["LIMITED_KEY"]
MODEL = "anthropic/claude-haiku-4-5"
ASK = {"max_tokens": 64, "messages": [{"role": "user", "content": "What is the answer?"}]}
TOOLS = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]

client = anthropic.Anthropic(base_url=URL, api_key=KEY)
patient = client.with_options(max_retries=1)
impatient = client.with_options(max_retries=0)


def raises(error, call):
    try:
        call()
    except error as raised:
        assert type(raised) is error, type(raised)
        return raised
    raise AssertionError(f"{error.__name__} was not raised")


answer = client.messages.create(model=MODEL, **ASK)
assert answer.content[0].text == "The answer is forty two." and answer.stop_reason == "end_turn"
assert answer.usage.input_tokens == 10 and answer.usage.output_tokens == 5
print("ok chat")

with client.messages.stream(model=MODEL, **ASK) as stream:
    assert "".join(stream.text_stream) == "The answer is forty two."
    assert stream.get_final_message().usage.output_tokens == 5
print("ok stream")

first = client.messages.create(model=MODEL, tools=TOOLS, **ASK)
call = first.content[0]
assert first.stop_reason == "tool_use" and call.name == "weather" and call.input["city"] == "Kyiv"
turn = [*ASK["messages"], {"role": "assistant", "content": first.content}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]}]
assert client.messages.create(model=MODEL, tools=TOOLS, max_tokens=64, messages=turn).content[0].text.startswith("The answer")
with client.messages.stream(model=MODEL, tools=TOOLS, **ASK) as stream:
    assert stream.get_final_message().content[0].input == {"city": "Kyiv", "days": [1, 2]}
print("ok tools")

ids = [model.id for model in client.models.list(limit=5)]
assert MODEL in ids and "vox/auto" in ids and len(ids) > 5, ids
assert client.models.retrieve("vox/auto").id == "vox/auto"
print("ok models")

ask = impatient.messages.create
raises(anthropic.AuthenticationError, lambda: anthropic.Anthropic(base_url=URL, api_key="vox_nobody").messages.create(model=MODEL, **ASK))
limited = anthropic.Anthropic(base_url=URL, api_key=LIMITED_KEY)
raises(anthropic.PermissionDeniedError, lambda: limited.messages.create(model=MODEL, **ASK))
unknown = raises(anthropic.NotFoundError, lambda: ask(model="claude-haiku-4-6", **ASK))
assert unknown.body["error"]["type"] == "not_found_error" and "claude-haiku" in unknown.body["error"]["message"], unknown.body
raises(anthropic.BadRequestError, lambda: ask(model=MODEL, extra_headers={"x-vox-complexity": "much"}, **ASK))
busy = raises(anthropic.RateLimitError, lambda: ask(model="anthropic/always-busy", **ASK))
assert busy.response.headers["retry-after"] == "7" and busy.body["error"]["type"] == "rate_limit_error", busy.body
raises(anthropic.InternalServerError, lambda: ask(model="anthropic/down", **ASK))
print("ok errors")

started = time.monotonic()
assert patient.messages.create(model="anthropic/busy-once", **ASK).content
assert 0.9 < time.monotonic() - started < 5
print("ok retry-after")

seen = ""
try:
    with client.messages.stream(model="anthropic/breaks-off", **ASK) as stream:
        for text in stream.text_stream:
            seen += text
    raise AssertionError("a broken stream looked complete")
except anthropic.APIError as error:
    assert "upstream_cut" in str(error.body), error.body
assert seen.startswith("one two")
print("ok broken stream")
