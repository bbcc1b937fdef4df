//! Before rules that call `setAbortAction`: those of `sys_script`, and those of the knobs.

use super::Draft;
use crate::knobs::AbortRule;
use crate::query;
use crate::refusal::Refusal;
use crate::world::{Act, World};

impl World {
    pub(super) fn abort(&self, act: &Act<'_>, draft: &Draft<'_>) -> Result<(), Refusal> {
        if act.actor.system {
            return Ok(());
        }
        let knobs = act.knobs.business_rule_abort.iter();
        let knobs = knobs
            .filter(|rule| self.dictionary.extends(draft.class, &rule.table))
            .map(of_knob);
        for (name, rule_id, condition) in knobs.chain(self.scripts(draft)) {
            if query::matches(self, act, draft.class, draft.new, &condition) {
                return Err(Refusal::RuleAbort {
                    table: draft.class.to_owned(),
                    rule: name,
                    rule_id,
                });
            }
        }
        Ok(())
    }

    /// Name, sys_id and condition of the active aborting rules for this write.
    fn scripts(&self, draft: &Draft<'_>) -> Vec<(String, String, String)> {
        let action = if draft.old.is_none() {
            "action_insert"
        } else {
            "action_update"
        };
        let rules = self.all_with("sys_script", "abort_action", "true");
        let rules = rules.filter(|rule| {
            let here = self.dictionary.extends(draft.class, rule.get("collection"));
            here && rule.is_true("active") && rule.get("when") == "before" && rule.is_true(action)
        });
        rules
            .map(|rule| {
                (
                    rule.get("name").to_owned(),
                    rule.sys_id().to_owned(),
                    rule.get("filter_condition").to_owned(),
                )
            })
            .collect()
    }
}

fn of_knob(rule: &AbortRule) -> (String, String, String) {
    (
        rule.name.clone(),
        crate::seed::id::of("sys_script", &rule.name),
        rule.condition.clone(),
    )
}
