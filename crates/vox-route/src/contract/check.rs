//! What serde cannot see: ranges, references between keys, and circles.

mod classification;

use super::Rules;
use crate::catalog::Tier;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use vox_base::{Document, InvalidConfig};

const MAX_TOKENS: u64 = 10_000_000;
const MAX_MICROS: u64 = 1_000_000_000;

struct Check<'a> {
    document: &'a Document,
    rules: &'a Rules,
}

pub(super) fn check(document: &Document, rules: &Rules) -> Result<(), InvalidConfig> {
    let check = Check { document, rules };
    check.range("x-vox-version", rules.version, 1..=1)?;
    check.names()?;
    rules.tasks.keys().try_for_each(|task| check.task(task))?;
    check.scoring()?;
    check.priors()?;
    check.evidence()?;
    check.exploration()?;
    check.complexity()?;
    check.classification()?;
    check.limits()?;
    check.aliases()?;
    check.policy()?;
    check.inference()?;
    check.discovery()?;
    check.fallback()
}

impl Check<'_> {
    fn fault<T>(&self, key: &str, message: impl Into<String>) -> Result<T, InvalidConfig> {
        Err(self.document.fault(key, message))
    }

    fn range<N>(&self, key: &str, value: N, allowed: RangeInclusive<N>) -> Result<(), InvalidConfig>
    where
        N: PartialOrd + std::fmt::Display,
    {
        if allowed.contains(&value) {
            return Ok(());
        }
        self.fault(key, format!("expected {} to {}, found {value}", allowed.start(), allowed.end()))
    }

    fn one_of(&self, key: &str, value: &str, allowed: &[String]) -> Result<(), InvalidConfig> {
        if allowed.iter().any(|name| name == value) {
            return Ok(());
        }
        self.fault(key, format!("unknown name `{value}`: expected one of {}", allowed.join(", ")))
    }

    fn unique(&self, key: &str, names: &[String]) -> Result<(), InvalidConfig> {
        let mut seen = BTreeSet::new();
        match names.iter().position(|name| !seen.insert(name)) {
            Some(at) => self.fault(&format!("{key}[{at}]"), format!("`{}` stands twice", names[at])),
            None => Ok(()),
        }
    }

    fn names(&self) -> Result<(), InvalidConfig> {
        let rules = self.rules;
        if let Some(missing) = Tier::ALL.iter().find(|tier| rules.tiers.iter().filter(|known| known == tier).count() != 1) {
            return self.fault("tiers", format!("expected `{missing}` exactly once"));
        }
        self.unique("strengths", &rules.strengths)?;
        self.unique("task_categories", &rules.task_categories)?;
        if let Some(at) = rules.task_categories.iter().position(|task| !rules.tasks.contains_key(task)) {
            let task = &rules.task_categories[at];
            return self.fault(&format!("task_categories[{at}]"), format!("`tasks.{task}` is missing, and so its strength"));
        }
        rules.tasks.keys().try_for_each(|task| self.one_of(&format!("tasks.{task}"), task, &rules.task_categories))?;
        self.one_of("default_task", &rules.default_task, &rules.task_categories)
    }

    fn task(&self, name: &str) -> Result<(), InvalidConfig> {
        let task = &self.rules.tasks[name];
        let key = |field: &str| format!("tasks.{name}.{field}");
        self.one_of(&key("strength"), &task.strength, &self.rules.strengths)?;
        if let Some(premium) = &task.premium_key {
            let known: Vec<String> = self.rules.premium_alias.keys().cloned().collect();
            self.one_of(&key("premium_key"), premium, &known)?;
        }
        self.range(&key("context_floor_tokens"), task.context_floor_tokens, 0..=MAX_TOKENS)?;
        self.range(&key("failure_cost_micros"), task.failure_cost_micros, 0..=MAX_MICROS)?;
        self.range(&key("expected_output_tokens"), task.expected_output_tokens, 1..=MAX_TOKENS)?;
        self.range(&key("latency_slo_ms"), task.latency_slo_ms, 1..=3_600_000)?;
        self.range(&key("wait_micros_per_slo"), task.wait_micros_per_slo, 0..=MAX_MICROS)
    }

    fn scoring(&self) -> Result<(), InvalidConfig> {
        let scoring = &self.rules.scoring;
        let presets = &scoring.presets;
        for (key, weights) in [
            ("weights", scoring.weights),
            ("presets.cost_first", presets.cost_first),
            ("presets.quality_first", presets.quality_first),
            ("presets.fast", presets.fast),
        ] {
            for (name, weight) in [
                ("efficiency", weights.efficiency),
                ("precision", weights.precision),
                ("latency", weights.latency),
                ("availability", weights.availability),
            ] {
                self.range(&format!("scoring.{key}.{name}"), weight, 0..=100)?;
            }
            if weights.sum() == 0 {
                return self.fault(&format!("scoring.{key}.efficiency"), "expected at least one weight above 0");
            }
        }
        let bands = scoring.latency_bands;
        self.range("scoring.latency_bands.poor_ms", bands.poor_ms, 1..=3_600_000)?;
        self.range("scoring.latency_bands.excellent_ms", bands.excellent_ms, 0..=bands.poor_ms - 1)?;
        self.range("scoring.failover_cost_micros", scoring.failover_cost_micros, 0..=MAX_MICROS)?;
        self.range("scoring.success_floor_ppm", scoring.success_floor_ppm, 1_000..=500_000)?;
        self.range("scoring.premium_min_complexity", scoring.premium_min_complexity, 1..=10)?;
        self.range("scoring.switch_confidence_ppm", scoring.switch_confidence_ppm, 500_000..=990_000)?;
        self.range("scoring.unknown_price_quantile_ppm", scoring.unknown_price_quantile_ppm, 1..=1_000_000)
    }

    fn priors(&self) -> Result<(), InvalidConfig> {
        let priors = &self.rules.priors;
        for tier in Tier::ALL {
            let (Some(success), Some(slope)) = (priors.tier_success_ppm.get(&tier), priors.complexity_slope_ppm.get(&tier)) else {
                let key = if priors.tier_success_ppm.contains_key(&tier) { "complexity_slope_ppm" } else { "tier_success_ppm" };
                return self.fault(&format!("priors.{key}"), format!("`{tier}` is missing"));
            };
            self.range(&format!("priors.tier_success_ppm.{tier}"), *success, 0..=1_000_000)?;
            self.range(&format!("priors.complexity_slope_ppm.{tier}"), *slope, -200_000..=200_000)?;
        }
        self.range("priors.strength_match_ppm", priors.strength_match_ppm, 0..=500_000)?;
        self.range("priors.strength_waived_ppm", priors.strength_waived_ppm, -500_000..=0)?;
        self.range("priors.tier_shortfall_ppm", priors.tier_shortfall_ppm, -500_000..=0)?;
        self.range("priors.availability_ppm", priors.availability_ppm, 0..=1_000_000)?;
        let pseudo = &priors.pseudo_counts;
        self.range("priors.pseudo_counts.global", pseudo.global, 1..=200)?;
        self.range("priors.pseudo_counts.task", pseudo.task, 1..=200)?;
        self.range("priors.pseudo_counts.caller", pseudo.caller, 1..=200)
    }

    fn evidence(&self) -> Result<(), InvalidConfig> {
        let evidence = &self.rules.evidence;
        self.range("evidence.min_units", evidence.min_units, 1..=10_000)?;
        self.range("evidence.forget_per_unit_ppm", evidence.forget_per_unit_ppm, 900_000..=1_000_000)?;
        self.range("evidence.half_life_days", evidence.half_life_days, 1..=3650)?;
        self.range("evidence.drift.slack_ppm", evidence.drift.slack_ppm, 0..=1_000_000)?;
        self.range("evidence.drift.alarm_milli", evidence.drift.alarm_milli, 1..=1_000_000)?;
        self.range("evidence.drift.keep_ppm", evidence.drift.keep_ppm, 0..=1_000_000)
    }

    fn exploration(&self) -> Result<(), InvalidConfig> {
        let exploration = &self.rules.exploration;
        self.range("exploration.epsilon_ceiling_ppm", exploration.epsilon_ceiling_ppm, 0..=500_000)?;
        self.range("exploration.epsilon_floor_ppm", exploration.epsilon_floor_ppm, 0..=exploration.epsilon_ceiling_ppm)?;
        self.range("exploration.min_units_per_arm", exploration.min_units_per_arm, 0..=1000)?;
        self.range("exploration.novel_bonus_ppm", exploration.novel_bonus_ppm, 0..=1_000_000)?;
        self.range("exploration.draws", exploration.draws, 16..=1024)?;
        self.range("exploration.max_concurrent", exploration.max_concurrent, 0..=1000)?;
        self.range("exploration.budget_micros_per_day", exploration.budget_micros_per_day.get(), 0..=1_000_000_000)?;
        self.range("exploration.max_complexity", exploration.max_complexity, 1..=10)?;
        self.range("exploration.loss_allowance_ppm", exploration.loss_allowance_ppm, 0..=1_000_000)
    }

    fn complexity(&self) -> Result<(), InvalidConfig> {
        let complexity = &self.rules.complexity;
        self.range("complexity.max", complexity.max, 1..=10)?;
        self.range("complexity.min", complexity.min, 1..=complexity.max)?;
        self.range("complexity.default", complexity.default, complexity.min..=complexity.max)?;
        for (at, floor) in complexity.tier_floors.iter().enumerate() {
            self.range(&format!("complexity.tier_floors[{at}].min_complexity"), floor.min_complexity, 1..=10)?;
        }
        self.range("complexity.evidence_lift_ppm", complexity.evidence_lift_ppm, 0..=1_000_000)?;
        self.range("complexity.tool_hint_floor.min_tools", complexity.tool_hint_floor.min_tools, 1..=64)?;
        self.range("complexity.tool_hint_floor.complexity", complexity.tool_hint_floor.complexity, 1..=10)
    }

    fn setbacks(&self) -> Result<(), InvalidConfig> {
        let (context, penalties) = (&self.rules.context, &self.rules.penalties);
        if let Some(at) = context.ladder_tokens.windows(2).position(|pair| pair[0] >= pair[1]) {
            return self.fault(&format!("context.ladder_tokens[{}]", at + 1), "is not above the one before");
        }
        self.range("context.escalate.utilisation_bp", context.escalate.utilisation_bp, 1..=10_000)?;
        self.range("context.escalate.times", context.escalate.times, 1..=1000)?;
        self.range("context.escalate.window_s", context.escalate.window_s, 1..=604_800)?;
        self.range("penalties.abstain_confidence_ppm", penalties.abstain_confidence_ppm, 0..=1_000_000)?;
        self.range("penalties.ttl_s", penalties.ttl_s, 1..=604_800)
    }

    fn limits(&self) -> Result<(), InvalidConfig> {
        let rules = self.rules;
        self.range("context.output_reserve_tokens", rules.context.output_reserve_tokens, 1..=MAX_TOKENS)?;
        self.setbacks()?;
        self.range("economy_ceiling_micros_per_mtok", rules.economy_ceiling_micros_per_mtok.get(), 1..=1_000_000_000)?;
        self.range("safety.max_cost_micros_per_request", rules.safety.max_cost_micros_per_request.get(), 1..=10_000_000_000)?;
        self.range("admission.max_candidates", rules.admission.max_candidates, 1..=512)?;
        let mut seen = Vec::new();
        for (at, waiver) in rules.waiver_order.iter().enumerate() {
            if seen.contains(&waiver) {
                return self.fault(&format!("waiver_order[{at}]"), "stands twice");
            }
            seen.push(waiver);
        }
        Ok(())
    }

    fn aliases(&self) -> Result<(), InvalidConfig> {
        for (name, target) in &self.rules.aliases {
            let key = format!("aliases.{name}");
            if name == "auto" || name.contains([':', '/']) {
                return self.fault(&key, "expected a name without `:` and `/` that is not `auto`");
            }
            match target.split_once(':') {
                Some(("task", task)) => self.one_of(&key, task, &self.rules.task_categories)?,
                Some(("family", family)) if !family.is_empty() => {}
                _ => self.model_id(&key, target)?,
            }
        }
        self.rules.premium_alias.iter().try_for_each(|(name, target)| self.model_id(&format!("premium_alias.{name}"), target))
    }

    fn model_id(&self, key: &str, target: &str) -> Result<(), InvalidConfig> {
        if target.split_once('/').is_some_and(|(family, name)| !family.is_empty() && !name.is_empty()) {
            return Ok(());
        }
        self.fault(key, format!("expected a model id such as `family/name`, found `{target}`"))
    }

    fn policy(&self) -> Result<(), InvalidConfig> {
        let names: Vec<String> = self.rules.policy.profiles.keys().cloned().collect();
        self.one_of("policy.default_profile", &self.rules.policy.default_profile, &names)
    }

    fn inference(&self) -> Result<(), InvalidConfig> {
        let pricing = &self.rules.pricing;
        self.range("pricing.high_min_calls", pricing.high_min_calls, 1..=1_000_000)?;
        self.range("pricing.medium_min_calls", pricing.medium_min_calls, 1..=pricing.high_min_calls)?;
        self.range("pricing.ignore_below_ppm", pricing.ignore_below_ppm, 0..=1_000_000)?;
        for (at, rule) in self.rules.strength_inference.iter().enumerate() {
            let key = format!("strength_inference[{at}].strengths");
            rule.strengths().iter().try_for_each(|strength| self.one_of(&key, strength, &self.rules.strengths))?;
        }
        Ok(())
    }

    fn discovery(&self) -> Result<(), InvalidConfig> {
        self.rules.discovery.ranges().into_iter().try_for_each(|(key, value, allowed)| self.range(&key, value, allowed))
    }

    fn fallback(&self) -> Result<(), InvalidConfig> {
        let Some(circle) = self.rules.fallback_graph.keys().find_map(|start| self.circle_from(start, &mut vec![start])) else {
            return Ok(());
        };
        // The shipped part of a circle was there before; the key to mend is the one the user wrote.
        let key = |provider: &str| format!("fallback_graph.{provider}");
        let own = |provider: &&&str| self.document.at(&key(provider)).is_some_and(|node| node.file != self.document.root().file);
        let provider = circle.iter().find(own).unwrap_or(&circle[0]);
        self.fault(&key(provider), format!("leads in a circle: {} -> {}", circle.join(" -> "), circle[0]))
    }

    /// Returns the providers of a circle that can be reached from the end of a path.
    fn circle_from<'a>(&'a self, provider: &str, path: &mut Vec<&'a str>) -> Option<Vec<&'a str>> {
        for next in self.rules.fallback_graph.get(provider)? {
            if let Some(at) = path.iter().position(|seen| seen == next) {
                return Some(path[at..].to_vec());
            }
            path.push(next);
            if let Some(circle) = self.circle_from(next, path) {
                return Some(circle);
            }
            path.pop();
        }
        None
    }
}
