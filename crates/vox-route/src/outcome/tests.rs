use super::*;
use proptest::prelude::*;

fn claim(source: Source) -> Claim {
    let (success, doubt) = if source == Source::Socrates { (None, Some(Doubt::Ask)) } else { (Some(true), None) };
    Claim { source, success, score_ppm: None, confidence_ppm: None, doubt }
}

fn with(from: &str, to: &str) -> Result<OutcomeRules, InvalidConfig> {
    assert!(OutcomeRules::YAML.contains(from), "{from}");
    let document = Document::parse("model-evidence.v1.yaml", &OutcomeRules::YAML.replacen(from, to, 1)).unwrap();
    OutcomeRules::from_document(&document)
}

/// RT-02 for this contract: each key alone changes what follows.
#[test]
fn rt_02_every_key_of_the_evidence_contract_changes_something() {
    let rules = OutcomeRules::builtin();
    for rule in &rules.sources {
        let line = format!("source: {}, weight_ppm: {}", rule.source.as_str(), rule.weight_ppm);
        let changed = with(&line, &format!("source: {}, weight_ppm: 123", rule.source.as_str())).unwrap();
        assert_eq!(changed.judge(Channel::Admin, &claim(rule.source)).unwrap().weight_ppm, 123);
    }
    assert_eq!(with("source: run_verified,", "source: tests,").unwrap_err().key, "sources", "`tests` stands twice");
    assert_eq!(rules.precedence()[..2], ["run_verified", "tests"]);
    let first = "  - { source: run_verified, weight_ppm: 1000000 } # a governed run whose result was verified\n";
    let reordered = OutcomeRules::YAML.replacen(first, "", 1).replacen("\n# Who may", &format!("{first}\n# Who may"), 1);
    let reordered = OutcomeRules::from_document(&Document::parse("f", &reordered).unwrap()).unwrap();
    assert_eq!((reordered.precedence()[0], reordered.precedence()[6]), ("tests", "run_verified"));
    for (channel, line) in [
        (Channel::Admin, "admin: [run_verified, tests, acceptance, human_feedback, eval, socrates, agent_claim]"),
        (Channel::Person, "person: [acceptance, human_feedback]"),
        (Channel::Caller, "caller: [tests, acceptance, socrates, agent_claim]"),
        (Channel::Run, "run: [socrates, agent_claim]"),
    ] {
        let name = line.split(':').next().unwrap();
        let changed = with(line, &format!("{name}: [eval]")).unwrap();
        assert!(changed.judge(channel, &claim(Source::Eval)).is_ok(), "{name}");
        assert!(changed.judge(channel, &claim(Source::Acceptance)).is_err() && changed.judge(channel, &claim(Source::Socrates)).is_err());
    }
}

#[test]
fn what_does_not_hold_together_names_its_place() {
    let fault = |from: &str, to: &str| {
        let error = with(from, to).unwrap_err();
        assert_eq!(error.file, "model-evidence.v1.yaml");
        assert!(error.line > 0, "{error}");
        error.key
    };
    assert_eq!(fault("weight_ppm: 800000", "weight_ppm: 1000001"), "sources[2].weight_ppm");
    assert_eq!(fault("x-vox-version: 1", "x-vox-version: 2"), "x-vox-version");
    assert!(fault("  run:", "  runs:").contains("runs"));
    assert!(fault("source: eval", "source: evil").starts_with("sources"));
}

/// RT-52: a channel speaks only for its own sources.
#[test]
fn rt_52_a_channel_speaks_only_for_its_own_sources() {
    let rules = OutcomeRules::builtin();
    let refused: Coded = rules.judge(Channel::Run, &claim(Source::RunVerified)).unwrap_err().into();
    assert_eq!((refused.code, refused.kind), ("route.outcome_rejected", Kind::Refused));
    assert!(rules.judge(Channel::Caller, &claim(Source::HumanFeedback)).is_err(), "a key is no person");
    assert!(rules.judge(Channel::Caller, &claim(Source::RunVerified)).is_err());
    assert_eq!(rules.judge(Channel::Run, &claim(Source::AgentClaim)).unwrap().weight_ppm, 0);
}

#[test]
fn giving_up_is_a_failure_and_other_doubt_says_nothing() {
    let rules = OutcomeRules::builtin();
    let judged = |doubt, confidence_ppm| {
        let claim = Claim { doubt: Some(doubt), confidence_ppm, ..claim(Source::Socrates) };
        let judged = rules.judge(Channel::Caller, &claim).unwrap();
        (judged.success, judged.gave_up_at_ppm)
    };
    assert_eq!(judged(Doubt::Abstain, Some(490_000)), (Some(false), Some(490_000)));
    assert_eq!(judged(Doubt::Abstain, None), (Some(false), Some(0)), "without confidence it counts as none");
    for doubt in [Doubt::Answer, Doubt::Ask, Doubt::Disambiguate] {
        assert_eq!(judged(doubt, Some(10)), (None, None));
    }
}

#[test]
fn a_claim_says_what_its_source_can_say() {
    let rules = OutcomeRules::builtin();
    let field = |claim: Claim| match rules.judge(Channel::Admin, &claim) {
        Err(ClaimError::Form { field, .. }) => Err(field),
        Err(other) => panic!("{other}"),
        Ok(judged) => Ok(judged.success),
    };
    let tests = claim(Source::Tests);
    assert_eq!(field(Claim { success: None, ..tests }), Err("success"));
    assert_eq!(field(Claim { success: None, score_ppm: Some(499_999), ..tests }), Ok(Some(false)));
    assert_eq!(field(Claim { success: None, score_ppm: Some(500_000), ..tests }), Ok(Some(true)));
    assert_eq!(field(Claim { score_ppm: Some(1_000_001), ..tests }), Err("score_ppm"));
    assert_eq!(field(Claim { confidence_ppm: Some(1_000_001), ..tests }), Err("confidence_ppm"));
    assert_eq!(field(Claim { doubt: Some(Doubt::Abstain), ..tests }), Err("decision"));
    assert_eq!(field(Claim { doubt: None, ..claim(Source::Socrates) }), Err("decision"));
    assert_eq!(field(Claim { success: Some(true), ..claim(Source::Socrates) }), Err("success"));
}

/// RT-53: 70 and 30 tokens are 0.7 and 0.3.
#[test]
fn rt_53_a_unit_is_parted_by_the_output_of_each() {
    assert_eq!(shares(&[70, 30]), [700_000, 300_000]);
    assert_eq!(shares(&[1, 1, 1]), [333_334, 333_333, 333_333]);
    assert_eq!(shares(&[0, 0]), [500_000, 500_000]);
    assert_eq!(shares(&[5]), [1_000_000]);
    assert_eq!(shares(&[]), [] as [u32; 0]);
}

proptest! {
    #[test]
    fn shares_sum_to_one(parts in prop::collection::vec(any::<u64>(), 1..20)) {
        prop_assert_eq!(shares(&parts).iter().sum::<u32>(), 1_000_000);
    }
}
