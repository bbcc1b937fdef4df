//! What is said of each alert: in a headline, where to look, and what to do.

use shared::alert::AlertName;

/// What does not depend on the moment.
pub(crate) struct Words {
    /// What it is about, in a few words.
    pub(crate) title: &'static str,
    /// The page of the console that shows it.
    pub(crate) page: &'static str,
    /// The heading of docs/operating.md that says more.
    pub(crate) heading: &'static str,
    /// The first thing to do.
    pub(crate) advice: &'static str,
}

/// Of every alert.
pub(crate) fn words(name: AlertName) -> Words {
    let (title, page, heading, advice) = match name {
        AlertName::DeadJobs | AlertName::DeadJobsInLane => (
            if name == AlertName::DeadJobs {
                "Dead jobs"
            } else {
                "Dead jobs in one lane"
            },
            "/console/jobs?state=dead",
            "jobs-are-dead",
            "See what they died of, mend the cause, then retry them at a rate.",
        ),
        AlertName::OldestDue => (
            "A due job waits",
            "/console/queues",
            "a-lane-grows",
            "See whether the lane is paused, how many workers serve it, and whether its connection is held back.",
        ),
        AlertName::NoWorker => (
            "Too few workers",
            "/console/workers",
            "nothing-moves",
            "Start a worker that serves the lane. Nothing is lost: its jobs wait.",
        ),
        AlertName::ConnectionHeld => (
            "A connection is held back",
            "/console",
            "jobs-are-parked",
            "Mend what the reason names; `ticketbridge doctor` tries each step. Jobs wait without using up attempts.",
        ),
        AlertName::ThrottledShare => (
            "Limits of the instance put runs off",
            "/console",
            "servicenow-asks-for-quiet-or-is-full",
            "Nothing is lost. Where it lasts, ask for a higher limit, or let others use the instance less.",
        ),
        AlertName::CredentialAge => (
            "A credential dies soon",
            "/console",
            "a-credential-runs-out",
            "Replace the credential before it dies.",
        ),
        AlertName::CredentialRefused => (
            "A log-in is refused",
            "/console",
            "a-credential-runs-out",
            "Replace the credential, or unlock the account. Jobs wait without using up attempts.",
        ),
        AlertName::UnmappedStates => (
            "Values that nobody mapped",
            "/console/requests?attention=true",
            "a-value-that-nobody-mapped",
            "Add the value to states_in of the route. The requests stay where they are until then.",
        ),
        AlertName::AmbiguousCreates => (
            "Creates without a clean answer",
            "/console/jobs?kind=create_ticket.v1",
            "a-create-without-a-clean-answer",
            "Wait for the looks that settle it; look in ServiceNow for requests that nobody tries any more.",
        ),
        AlertName::FailedCallbacks => (
            "A source is not told",
            "/console/jobs?lane=callback",
            "a-source-is-not-told",
            "See what its endpoint answers. What it missed is in the feed, and the newest state is sent again.",
        ),
        AlertName::DriftFound => (
            "Drift is found",
            "/console/requests?attention=true",
            "drift-is-found",
            "See `ticketbridge drift show`. What was missed is read by now; what is flagged wants a look.",
        ),
        AlertName::ChoiceDrift => (
            "State maps do not fit choice lists",
            "/console/routes",
            "a-state-map-does-not-fit-the-choice-list",
            "Mend the entry that is named, in states_in or states_out of the route, and restart scheduler and workers.",
        ),
    };
    Words {
        title,
        page,
        heading,
        advice,
    }
}

/// One line about the moment.
pub(super) fn headline(name: AlertName, figure: i64, places: usize) -> String {
    let places = i64::try_from(places).unwrap_or(i64::MAX);
    match name {
        AlertName::DeadJobs => counted(figure, "dead job"),
        AlertName::DeadJobsInLane => format!("{} in one lane", counted(figure, "dead job")),
        AlertName::OldestDue => format!("a due job has waited for {}", span(figure)),
        AlertName::NoWorker => format!("{} too few workers", counted(places, "lane has")),
        AlertName::ConnectionHeld => format!("{} held back", counted(figure, "connection is")),
        AlertName::ThrottledShare => format!("{figure} % of the runs are put off by limits"),
        AlertName::CredentialAge if figure < 0 => "a credential has died".to_owned(),
        AlertName::CredentialAge => format!("a credential dies in {}", counted(figure, "day")),
        AlertName::CredentialRefused => format!("{} refused", counted(figure, "log-in was")),
        AlertName::UnmappedStates => {
            format!(
                "{} a value that nobody mapped",
                counted(figure, "ticket has")
            )
        }
        AlertName::AmbiguousCreates => {
            format!("{} without a clean answer", counted(figure, "create is"))
        }
        AlertName::FailedCallbacks => format!("{} not taken", counted(figure, "callback was")),
        AlertName::DriftFound => format!("{} found", counted(figure, "difference was")),
        AlertName::ChoiceDrift => format!(
            "{} not fit the choice lists",
            if figure == 1 {
                "1 entry of a state map does".to_owned()
            } else {
                format!("{figure} entries of state maps do")
            }
        ),
    }
}

/// `3 dead jobs`, `1 lane has`, `2 lanes have`: the noun is the last word, or the one before its verb.
pub(super) fn counted(count: i64, thing: &str) -> String {
    if count == 1 {
        return format!("1 {thing}");
    }
    let many = match thing.rsplit_once(' ') {
        Some((noun, "is")) => format!("{} are", plural(noun)),
        Some((noun, "was")) => format!("{} were", plural(noun)),
        Some((noun, "has")) => format!("{} have", plural(noun)),
        _ => plural(thing),
    };
    format!("{count} {many}")
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y').filter(|it| !it.ends_with('a')) {
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    }
}

/// Seconds as people say them.
pub(super) fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{} s", seconds.max(0)),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_said_as_people_say_them() {
        let told = [
            counted(1, "dead job"),
            counted(2, "dead job"),
            counted(1, "lane has"),
            counted(0, "lane has"),
            counted(3, "delivery is"),
            counted(5, "day"),
        ];
        assert_eq!(
            told,
            [
                "1 dead job",
                "2 dead jobs",
                "1 lane has",
                "0 lanes have",
                "3 deliveries are",
                "5 days"
            ]
        );
        assert_eq!(
            [-3, 119, 7_199, 7_200, 172_800].map(span),
            ["0 s", "119 s", "119 min", "2 h", "2 days"]
        );
    }

    #[test]
    fn each_alert_points_to_a_heading_of_the_runbook() {
        let runbook = include_str!("../../../docs/operating.md");
        let headings: Vec<String> = runbook
            .lines()
            .filter_map(|line| line.strip_prefix("### "))
            .map(|heading| heading.to_lowercase().replace(' ', "-"))
            .collect();
        for name in AlertName::ALL {
            let heading = words(*name).heading;
            assert!(headings.iter().any(|it| it == heading), "{heading}");
        }
    }
}
