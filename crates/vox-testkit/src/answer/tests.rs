use super::*;

const TOKENS: Tokens = Tokens { input: 7, cached: 100, cache_write: 20, output: 5, reasoning: 3 };

#[test]
fn each_dialect_counts_tokens_in_its_own_way() {
    let answer = Answer::text("hi").tokens(TOKENS);
    let openai = &answer.openai_body()["usage"];
    assert_eq!((&openai["prompt_tokens"], &openai["completion_tokens"]), (&json!(127), &json!(8)));
    let anthropic = &answer.anthropic_body()["usage"];
    assert_eq!((&anthropic["input_tokens"], &anthropic["cache_read_input_tokens"]), (&json!(7), &json!(100)));
    assert!(answer.without_usage().openai_body().get("usage").is_none());
}

#[test]
fn streams_have_the_events_of_their_dialect_in_order() {
    let answer = Answer::text("a b").tool("call_1", "read", json!({"path": "x"}));
    let openai = answer.openai_events();
    assert_eq!(openai.len(), 7);
    assert!(openai[4].contains("\"finish_reason\":\"tool_calls\"") && openai[5].contains("\"usage\""));
    assert_eq!(openai[6], "data: [DONE]\n\n");
    let names: Vec<String> = answer.anthropic_events().iter().map(|event| event.lines().next().unwrap()[7..].to_owned()).collect();
    let block = |n_deltas| [vec!["content_block_start"], vec!["content_block_delta"; n_deltas], vec!["content_block_stop"]].concat();
    assert_eq!(names, [vec!["message_start"], block(2), block(1), vec!["message_delta", "message_stop"]].concat());
}
