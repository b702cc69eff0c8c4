use super::*;

fn call() -> Interaction {
    let held = vox_base::InteractionId::from_bytes([1; 16]);
    let at = vox_base::Timestamp::from_millis(0);
    Interaction {
        interaction_id: held,
        trace_id: held.cast(),
        span_id: "".into(),
        parent_span_id: None,
        trace_origin: "local".into(),
        session_id: None,
        run_id: None,
        task_id: None,
        key_id: None,
        dialect_in: None,
        endpoint: None,
        requested_model: None,
        decision_id: None,
        provider: None,
        provider_canonical: None,
        model: None,
        model_reported: None,
        task_category: None,
        strength_tag: None,
        complexity: None,
        outcome: "complete".into(),
        stop_reason: None,
        stop_reason_raw: None,
        streamed: false,
        translated: false,
        attempts: 1,
        input_tokens: Some(1000),
        cache_read_tokens: Some(0),
        cache_write_5m_tokens: Some(7),
        cache_write_1h_tokens: None,
        output_tokens: Some(200),
        reasoning_tokens: Some(50),
        server_tool_units_json: None,
        context_utilization_bp: None,
        cost_nano_usd: None,
        computed_nano_usd: None,
        cost_source: "computed".into(),
        price_snapshot_id: None,
        cache_savings_nano_usd: None,
        ttft_ms: None,
        latency_ms: None,
        gateway_overhead_us: None,
        request_bytes: None,
        response_bytes: None,
        flags_json: None,
        created_at: at,
        ended_at: at,
    }
}

#[test]
fn a_line_is_tokens_times_price_and_an_unknown_price_stays_unknown() {
    let prices = Prices { input: Some(Micros::new(3_000_000)), output: Some(Micros::new(15_000_000)), ..Prices::default() };
    let found: Vec<_> = lines(&call(), &prices).into_iter().map(|line| (line.class, line.tokens, line.cost_nano_usd)).collect();
    assert_eq!(
        found,
        [("input", 1000, Some(3_000_000)), ("cache_write_5m", 7, None), ("output", 200, Some(3_000_000)), ("reasoning", 50, Some(750_000))]
    );
}
