//! The figures of an eval, computed from its result files: by who attests and, with the same function,
//! by who verifies.
//!
//! Results are JSON lines `{"id": .., "scores": {metric: "0.75" or 1}}`; the scoring configuration says
//! for each metric how its scores become one figure. All of it is exact, in billionths.

use std::collections::{BTreeMap, BTreeSet};

use seal::json::{Limits, Value, parse};
use serde::Deserialize;

use crate::shape::Decimal;

/// Longest scoring configuration, bytes.
pub const SCORING_LIMIT: u64 = 1 << 20;
/// Longest file of results, bytes.
pub const RESULTS_LIMIT: u64 = 256 << 20;
/// Longest line of one, bytes.
const LINE: usize = 1 << 20;

/// How scores become figures: for each metric its aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scoring(BTreeMap<String, Aggregate>);

/// How the scores of a metric become one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// The arithmetic mean, rounded to the nearest billionth, halves away from zero.
    Mean,
    /// The smallest score that half of the scores do not exceed (nearest rank).
    P50,
    /// The same of 95 in a hundred.
    P95,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// All together.
    Sum,
}

/// What a metric must reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bound {
    /// Less is a failure.
    pub min: Option<Decimal>,
    /// More is a failure.
    pub max: Option<Decimal>,
    /// A larger fall below the baseline is a regression.
    pub max_drop: Option<Decimal>,
    /// A larger rise above the baseline is a regression.
    pub max_rise: Option<Decimal>,
}

/// What an eval's statement says of its results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Of the candidate; a metric that a line of its results lacks is not there.
    pub metrics: BTreeMap<String, Decimal>,
    /// The same of the baseline.
    pub baseline: BTreeMap<String, Decimal>,
    /// No metric fails.
    pub passed: bool,
    /// Some metric moved by more than it may, or nobody can tell because the baseline lacks it or the
    /// candidate lacks a question of the baseline.
    pub regression_detected: bool,
    /// The metrics that fail: missing, beyond a bound, or moved too far.
    pub failures: Vec<String>,
}

/// Why there are no figures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The scoring configuration is not one.
    #[error("the scoring configuration: {0}")]
    Scoring(String),
    /// A line of results is not one.
    #[error("line {line} of the {of} results: {why}")]
    Line {
        /// `candidate` or `baseline`.
        of: &'static str,
        /// From 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A figure has more than 15 digits before the point.
    #[error("the figure of {0:?} is too large to be stated")]
    TooLarge(String),
}

#[derive(Deserialize)]
struct File {
    metrics: BTreeMap<String, Metric>,
}

#[derive(Deserialize)]
struct Metric {
    aggregate: Aggregate,
}

impl Scoring {
    /// Reads the YAML. What else it says, about how answers become scores, is left to who scores.
    pub fn read(yaml: &[u8]) -> Result<Scoring, EvalError> {
        let refused = |why: String| EvalError::Scoring(why);
        let text = std::str::from_utf8(yaml).map_err(|_| refused("is not UTF-8 text".into()))?;
        let options = serde_saphyr::options! {
            with_snippet: false,
            merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        };
        let file: File = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| refused(error.to_string()))?;
        if file.metrics.is_empty() {
            return Err(refused("names no metric".into()));
        }
        let metrics = file.metrics.into_iter().map(|(name, metric)| (name, metric.aggregate));
        Ok(Scoring(metrics.collect()))
    }

    /// The figures of one file of results, and its ids.
    fn figures(
        &self,
        of: &'static str,
        results: &[u8],
    ) -> Result<(BTreeMap<String, Decimal>, BTreeSet<String>), EvalError> {
        let mut scores: BTreeMap<&str, Vec<Decimal>> = BTreeMap::new();
        let (mut ids, mut lines) = (BTreeSet::new(), 0);
        for (at, line) in results.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let refused = |why: String| EvalError::Line { of, line: at + 1, why };
            let value = parse(line, Limits { bytes: LINE, depth: 16 })
                .map_err(|error| refused(error.to_string()))?;
            let id = value.get("id").and_then(Value::as_str);
            let id = id.ok_or_else(|| refused("has no id".into()))?;
            if !ids.insert(id.to_owned()) {
                // not the id: what was asked may be nobody's business
                return Err(refused("its id stands on an earlier line, too".into()));
            }
            let told = value.get("scores").filter(|scores| scores.as_object().is_some());
            let told = told.ok_or_else(|| refused("has no scores".into()))?;
            for name in self.0.keys() {
                let Some(score) = told.get(name) else { continue };
                let number = match score {
                    Value::String(text) => Decimal::parse(text),
                    Value::Int(whole) => Decimal::parse(&whole.to_string()),
                    _ => None,
                };
                let number = number.ok_or_else(|| {
                    refused(format!("the score of {name:?} is neither a decimal text nor whole"))
                })?;
                scores.entry(name).or_default().push(number);
            }
            lines += 1;
        }
        let mut figures = BTreeMap::new();
        for (name, mut scores) in scores {
            // A question without a score must not make the figure better.
            if scores.len() < lines {
                continue;
            }
            let figure = self.0.get(name).and_then(|aggregate| aggregate.of(&mut scores));
            let Some(figure) = figure else { continue };
            if Decimal::parse(&figure.to_string()).is_none() {
                return Err(EvalError::TooLarge(name.to_owned()));
            }
            figures.insert(name.to_owned(), figure);
        }
        Ok((figures, ids))
    }
}

impl Aggregate {
    /// Of scores, which are sorted by it; `None` of none.
    fn of(self, scores: &mut [Decimal]) -> Option<Decimal> {
        scores.sort_unstable();
        let count = scores.len();
        let sum = || scores.iter().map(|score| score.0).sum::<i128>();
        // Of `count` scores the first that `hundredths` of them do not exceed.
        let rank = |hundredths: usize| (count * hundredths).div_ceil(100).saturating_sub(1);
        match self {
            Aggregate::Min => scores.first().copied(),
            Aggregate::Max => scores.last().copied(),
            Aggregate::P50 => scores.get(rank(50)).copied(),
            Aggregate::P95 => scores.get(rank(95)).copied(),
            Aggregate::Sum => (count > 0).then(|| Decimal(sum())),
            Aggregate::Mean => {
                let count = i128::try_from(count).ok().filter(|count| *count > 0)?;
                let (sum, half) = (sum(), count / 2);
                Some(Decimal(if sum < 0 { (sum - half) / count } else { (sum + half) / count }))
            }
        }
    }
}

impl Figures {
    /// What follows from a scoring configuration, both files of results and the thresholds.
    pub fn compute(
        scoring: &[u8],
        candidate: &[u8],
        baseline: &[u8],
        thresholds: &BTreeMap<String, Bound>,
    ) -> Result<Figures, EvalError> {
        let scoring = Scoring::read(scoring)?;
        let (metrics, ids) = scoring.figures("candidate", candidate)?;
        let (baseline, asked) = scoring.figures("baseline", baseline)?;
        // Without the hard questions everybody is better than before.
        let comparable = asked.is_subset(&ids);
        let mut failures: BTreeSet<String> =
            scoring.0.keys().filter(|name| !metrics.contains_key(*name)).cloned().collect();
        let mut regression_detected = false;
        for (name, bound) in thresholds {
            let Some(now) = metrics.get(name).copied() else {
                failures.insert(name.clone());
                regression_detected |= bound.compares();
                continue;
            };
            let before = baseline.get(name).copied();
            let moved = match before {
                None => bound.compares(),
                Some(_) if !comparable => bound.compares(),
                Some(before) => {
                    bound.max_drop.is_some_and(|drop| before.0 - now.0 > drop.0)
                        || bound.max_rise.is_some_and(|rise| now.0 - before.0 > rise.0)
                }
            };
            let beyond =
                bound.min.is_some_and(|min| now < min) || bound.max.is_some_and(|max| now > max);
            if moved || beyond {
                failures.insert(name.clone());
            }
            regression_detected |= moved;
        }
        let failures: Vec<String> = failures.into_iter().collect();
        Ok(Figures {
            metrics,
            baseline,
            passed: failures.is_empty(),
            regression_detected,
            failures,
        })
    }

    /// As members of the statement, with the thresholds they were judged by.
    pub fn members(&self, thresholds: &BTreeMap<String, Bound>) -> Vec<(String, Value)> {
        let figures = |of: &BTreeMap<String, Decimal>| {
            let one = |(name, figure): (&String, &Decimal)| {
                (name.clone(), Value::from(figure.to_string()))
            };
            Value::Object(of.iter().map(one).collect())
        };
        let bounds = thresholds.iter().map(|(name, bound)| (name.clone(), bound.to_value()));
        vec![
            ("metrics".into(), figures(&self.metrics)),
            ("baseline".into(), figures(&self.baseline)),
            ("thresholds".into(), Value::Object(bounds.collect())),
            ("passed".into(), self.passed.into()),
            ("regression_detected".into(), self.regression_detected.into()),
            ("failures".into(), Value::array(&self.failures)),
        ]
    }
}

impl Bound {
    /// Whether it asks for a baseline.
    fn compares(&self) -> bool {
        self.max_drop.is_some() || self.max_rise.is_some()
    }

    /// Reads the object that a statement has; its shape was judged.
    pub fn of(value: &Value) -> Bound {
        let bound = |name: &str| value.get(name)?.as_str().and_then(Decimal::parse);
        Bound {
            min: bound("min"),
            max: bound("max"),
            max_drop: bound("max_drop"),
            max_rise: bound("max_rise"),
        }
    }

    fn to_value(self) -> Value {
        let told = [
            ("min", self.min),
            ("max", self.max),
            ("max_drop", self.max_drop),
            ("max_rise", self.max_rise),
        ];
        let member = |(name, bound): (&str, Option<Decimal>)| {
            Some((name.to_owned(), bound?.to_string().into()))
        };
        Value::Object(told.into_iter().filter_map(member).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORING: &[u8] = b"judge: exact match\nmetrics:\n  accuracy: {aggregate: mean}\n  latency: {aggregate: p95}\n  cost: {aggregate: sum}\n";

    fn results(scores: &[(&str, i64, &str)]) -> Vec<u8> {
        let line = |(at, (accuracy, latency, cost)): (usize, &(&str, i64, &str))| {
            format!(
                "{{\"id\":\"q{at}\",\"answer\":\"x\",\"scores\":{{\"accuracy\":\"{accuracy}\",\"latency\":{latency},\"cost\":\"{cost}\"}}}}\n"
            )
        };
        scores.iter().enumerate().map(line).collect::<String>().into_bytes()
    }

    fn bounds(list: &[(&str, &str, &str)]) -> BTreeMap<String, Bound> {
        let mut all: BTreeMap<String, Bound> = BTreeMap::new();
        for (metric, name, value) in list {
            let bound = all.entry((*metric).into()).or_default();
            let value = Decimal::parse(value);
            match *name {
                "min" => bound.min = value,
                "max" => bound.max = value,
                "max_drop" => bound.max_drop = value,
                _ => bound.max_rise = value,
            }
        }
        all
    }

    fn compute(candidate: &[u8], baseline: &[u8], list: &[(&str, &str, &str)]) -> Figures {
        Figures::compute(SCORING, candidate, baseline, &bounds(list)).unwrap()
    }

    #[test]
    fn figures_are_exact() {
        let candidate = results(&[("0.1", 10, "0.2"), ("0.2", 30, "0.1"), ("0.2", 20, "0")]);
        let figures = compute(&candidate, &candidate, &[]);
        let told = |name: &str| figures.metrics[name].to_string();
        assert_eq!((told("accuracy"), told("cost")), ("0.166666667".into(), "0.3".into()));
        assert_eq!(told("latency"), "30");
        assert!(figures.passed && !figures.regression_detected);
    }

    #[test]
    fn ranks_and_rounding() {
        let of = |aggregate: Aggregate, scores: &[i128]| {
            let mut scores: Vec<Decimal> = scores.iter().map(|score| Decimal(*score)).collect();
            aggregate.of(&mut scores).map(|figure| figure.0)
        };
        let twenty: Vec<i128> = (1..=20).rev().collect();
        assert_eq!(of(Aggregate::P50, &twenty), Some(10));
        assert_eq!(of(Aggregate::P95, &twenty), Some(19));
        assert_eq!(of(Aggregate::P95, &[7]), Some(7));
        assert_eq!(of(Aggregate::Min, &twenty), Some(1));
        assert_eq!(of(Aggregate::Max, &twenty), Some(20));
        assert_eq!(of(Aggregate::Mean, &[1, 2]), Some(2));
        assert_eq!(of(Aggregate::Mean, &[-1, -2]), Some(-2));
        assert_eq!(of(Aggregate::Mean, &[]), None);
        assert_eq!(of(Aggregate::Sum, &[]), None);
    }

    #[test]
    fn what_is_missing_fails() {
        let good = results(&[("1", 10, "0"), ("1", 10, "0")]);
        let gap = String::from_utf8(good.clone()).unwrap().replacen("\"accuracy\":\"1\",", "", 1);
        let figures = compute(gap.as_bytes(), &good, &[]);
        assert_eq!(figures.failures, ["accuracy"]);
        assert!(!figures.passed && !figures.metrics.contains_key("accuracy"));
        // A threshold for what nobody measured, and one against a baseline that has it not.
        assert_eq!(compute(&good, &good, &[("speed", "min", "0")]).failures, ["speed"]);
        let figures = compute(&good, gap.as_bytes(), &[("accuracy", "max_drop", "1")]);
        assert!(figures.regression_detected && figures.failures == ["accuracy"]);
        // A question that the baseline answered must not be left out of the comparison.
        let easy = results(&[("1", 10, "0")]);
        let figures = compute(&easy, &good, &[("accuracy", "max_drop", "0.5")]);
        assert!(figures.regression_detected && figures.failures == ["accuracy"]);
        assert!(compute(&easy, &good, &[("accuracy", "min", "1")]).passed);
        assert!(compute(&good, &easy, &[("accuracy", "max_drop", "0.5")]).passed);
        assert_eq!(compute(b"", &good, &[]).failures, ["accuracy", "cost", "latency"]);
    }

    #[test]
    fn bounds_are_inclusive() {
        let (now, before) = (results(&[("0.5", 10, "0")]), results(&[("0.6", 8, "0")]));
        for (metric, bound, value, passed, regression) in [
            ("accuracy", "min", "0.5", true, false),
            ("accuracy", "min", "0.500000001", false, false),
            ("latency", "max", "10", true, false),
            ("latency", "max", "9.9", false, false),
            ("accuracy", "max_drop", "0.1", true, false),
            ("accuracy", "max_drop", "0.099", false, true),
            ("latency", "max_rise", "2", true, false),
            ("latency", "max_rise", "1", false, true),
        ] {
            let figures = compute(&now, &before, &[(metric, bound, value)]);
            assert_eq!(
                (figures.passed, figures.regression_detected),
                (passed, regression),
                "{metric} {bound} {value}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_gives_no_figures() {
        let good = results(&[("1", 10, "0")]);
        let refused = |scoring: &[u8], results: &[u8]| {
            Figures::compute(scoring, results, &good, &bounds(&[]))
        };
        for results in [
            "[]",
            "{\"id\":1,\"scores\":{}}",
            "{\"id\":\"a\"}",
            "{\"id\":\"a\",\"scores\":{\"accuracy\":0.5}}",
            "{\"id\":\"a\",\"scores\":{\"accuracy\":\"1e3\"}}",
            "{\"id\":\"a\",\"scores\":{\"accuracy\":null}}",
            "{\"id\":\"a\",\"scores\":{}}\n{\"id\":\"a\",\"scores\":{}}",
            "{\"id\":\"a\",\"scores\":{\"cost\":\"999999999999999\"}}\n{\"id\":\"b\",\"scores\":{\"cost\":\"999999999999999\"}}",
        ] {
            assert!(refused(SCORING, results.as_bytes()).is_err(), "{results}");
        }
        for scoring in ["", "metrics: {}", "metrics: {a: {aggregate: median}}", "metrics: [a]"] {
            assert!(refused(scoring.as_bytes(), &good).is_err(), "{scoring}");
        }
    }

    #[test]
    fn members_are_of_the_shape_of_the_type() {
        use crate::shape::Shape;
        let good = results(&[("1", 10, "0.5")]);
        let thresholds = bounds(&[("accuracy", "min", "0.9"), ("cost", "max_rise", "0")]);
        let figures = Figures::compute(SCORING, &good, &good, &thresholds).unwrap();
        let mut members = figures.members(&thresholds);
        members.push(("suite_id".into(), "smoke".into()));
        let value = Value::Object(members);
        let kind = crate::types::named("eval").unwrap();
        assert_eq!(Shape::Object(kind.fields).judge(&value, ""), []);
        let read = value.get("thresholds").and_then(|bounds| bounds.get("accuracy"));
        assert_eq!(read.map(Bound::of), Some(thresholds["accuracy"]));
    }
}
