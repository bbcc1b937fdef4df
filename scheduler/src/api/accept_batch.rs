//! Takes many requests in, a chunk in each transaction.

use shared::request::Asked;
use shared::route::Route;
use shared::store::requests::{self, Inserted, NewRequest};
use shared::store::tickets;

use super::accept::{Taken, accept, create_job, new_request, planned_ticket, same_or_conflict};
use super::admission::Admission;
use super::problem::Problem;
use super::problem_kind::Kind;
use super::transaction::{Deed, Unfinished, Work};
use crate::Scheduler;

/// Items of one transaction, and of each of its statements: enough to share their cost, few enough to hold no lock for
/// long.
const CHUNK: usize = 100;

/// One item that may be inserted, and its place in the batch.
struct Admitted<'a> {
    index: usize,
    asked: Asked,
    route: &'a Route,
}

/// Takes in what can be; each item gets its own answer, in order. Fails as a whole only when nothing could be stored.
pub(crate) async fn accept_batch(
    scheduler: &Scheduler,
    source: &str,
    items: Vec<Result<Asked, Problem>>,
) -> Result<Vec<Result<Taken, Problem>>, Problem> {
    let admission = Admission::read(scheduler, source).await?;
    let mut answers: Vec<Option<Result<Taken, Problem>>> = items.iter().map(|_| None).collect();
    let mut admitted = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Err(problem) => answers[index] = Some(Err(problem)),
            Ok(asked) => match admission.route(&asked, &format!("/items/{index}")) {
                Ok(route) => admitted.push(Admitted {
                    index,
                    asked,
                    route,
                }),
                Err(problem) => {
                    answers[index] = Some(repeated(scheduler, source, &asked, problem).await);
                }
            },
        }
    }
    for chunk in admitted.chunks(CHUNK) {
        for (item, answer) in chunk
            .iter()
            .zip(take_in_chunk(scheduler, source, chunk).await)
        {
            answers[item.index] = Some(answer);
        }
    }
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    whole(answers)
}

/// What can no longer become a ticket may still be a repetition of what did.
async fn repeated(
    scheduler: &Scheduler,
    source: &str,
    asked: &Asked,
    refused: Problem,
) -> Result<Taken, Problem> {
    match requests::by_natural_key(scheduler.store.conn(), source, &asked.external_id).await? {
        Some(_) => accept(scheduler, source, asked, None).await,
        None => Err(refused),
    }
}

/// Several items that are taken in together.
struct TakeIn<'a> {
    source: &'a str,
    items: &'a [Admitted<'a>],
}

impl Deed for TakeIn<'_> {
    type Done = Vec<Result<Taken, Problem>>;

    async fn run(&self, scheduler: &Scheduler, work: &mut Work) -> Result<Self::Done, Unfinished> {
        let now = scheduler.now();
        let new: Vec<NewRequest> = self
            .items
            .iter()
            .map(|item| new_request(scheduler, self.source, &item.asked, item.route))
            .collect();
        let mut answers = Vec::with_capacity(new.len());
        let (mut planned, mut jobs) = (Vec::new(), Vec::new());
        let inserted = requests::insert_many(&work.tx, self.source, &new, now).await?;
        for (item, inserted) in self.items.iter().zip(inserted) {
            answers.push(match inserted {
                Inserted::Existing(request, original) => {
                    same_or_conflict(request, &original, &item.asked)
                }
                Inserted::New(request) => {
                    planned.push(planned_ticket(scheduler, item.route, &request));
                    jobs.push(create_job(item.route, &request, now));
                    Ok(Taken {
                        request,
                        is_new: true,
                    })
                }
            });
        }
        tickets::insert_many(&work.tx, &planned, now).await?;
        work.insert_new_jobs(scheduler, jobs, now).await?;
        Ok(answers)
    }
}

/// All items of a chunk in one transaction; if that fails, each in its own, so that one cannot spoil the others.
async fn take_in_chunk(
    scheduler: &Scheduler,
    source: &str,
    items: &[Admitted<'_>],
) -> Vec<Result<Taken, Problem>> {
    match scheduler.carry_out(&TakeIn { source, items }).await {
        Ok(answers) => answers,
        Err(problem) if problem.kind == Kind::DatabaseUnavailable => {
            items.iter().map(|_| Err(problem.clone())).collect()
        }
        Err(_) => {
            let mut answers = Vec::with_capacity(items.len());
            for item in items {
                answers.push(accept(scheduler, source, &item.asked, None).await);
            }
            answers
        }
    }
}

/// A batch of which nothing could be stored because the database is gone is refused as a whole: the caller sends it again.
fn whole(answers: Vec<Result<Taken, Problem>>) -> Result<Vec<Result<Taken, Problem>>, Problem> {
    let gone = |answer: &Result<Taken, Problem>| {
        answer
            .as_ref()
            .err()
            .filter(|problem| problem.kind == Kind::DatabaseUnavailable)
            .cloned()
    };
    match answers.first().and_then(gone) {
        Some(problem) if answers.iter().all(|answer| gone(answer).is_some()) => Err(problem),
        _ => Ok(answers),
    }
}
