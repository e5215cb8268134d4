//! What a line of the table of functions says. The table itself is in `app.rs`; a test there holds it against the
//! function.json files.

use axum::http::Method;
use futures_util::future::BoxFuture;

use crate::host::answer::Answer;
use crate::host::call::Call;

/// Answers what the host posts in an envelope: a batch, or the tick of a timer.
pub(crate) type AnswersBatch<P> = for<'a> fn(&'a P, Vec<u8>) -> BoxFuture<'a, Answer>;

/// Answers a call.
pub(crate) type AnswersCall<P> = for<'a> fn(&'a P, &'a Call) -> BoxFuture<'a, Answer>;

/// A function of the app. `P` are the app's parts, of which each function uses its own.
pub(crate) struct Function<P: 'static> {
    /// The folder of its function.json.
    pub(crate) name: &'static str,
    /// What starts it.
    pub(crate) kind: Kind<P>,
}

/// What starts a function, and what answers.
pub(crate) enum Kind<P: 'static> {
    /// The host, which posts a batch of events in an envelope to `/{name}`.
    Trigger(AnswersBatch<P>),
    /// The host's clock: a tick is posted to `/{name}` as a batch is.
    Timer(AnswersBatch<P>),
    /// Clients, whose calls the host hands over.
    Http(Http<P>),
}

/// A function that clients call.
pub(crate) struct Http<P: 'static> {
    /// The template, as in function.json.
    pub(crate) route: &'static str,
    /// As in function.json, and HEAD where the answer to GET serves for it: the host lets no HEAD through.
    pub(crate) methods: &'static [&'static str],
    /// Who may call.
    pub(crate) access: Access,
    /// Whether the answer is worth compressing.
    pub(crate) size: Size,
    /// What answers.
    pub(crate) answers: AnswersCall<P>,
}

/// Who may call a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone may call, and stays anonymous.
    Anonymous,
    /// Anyone may call, and is known by the name that the platform authenticated, if it did.
    Named,
}

/// How large the answers of a function become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// A few hundred bytes.
    Small,
    /// A fleet: compressed for callers who can read that.
    Large,
}

impl<P> Function<P> {
    /// A function that the host triggers with a batch.
    pub(crate) const fn trigger(name: &'static str, answers: AnswersBatch<P>) -> Function<P> {
        Function { name, kind: Kind::Trigger(answers) }
    }

    /// A function that the host calls at the times of its function.json: perhaps late, twice, or not at all.
    pub(crate) const fn timer(name: &'static str, answers: AnswersBatch<P>) -> Function<P> {
        Function { name, kind: Kind::Timer(answers) }
    }

    /// A function that clients call.
    pub(crate) const fn http(
        name: &'static str,
        route: &'static str,
        methods: &'static [&'static str],
        access: Access,
        size: Size,
        answers: AnswersCall<P>,
    ) -> Function<P> {
        Function { name, kind: Kind::Http(Http { route, methods, access, size, answers }) }
    }
}

impl<P> Http<P> {
    pub(crate) fn allows(&self, method: &Method) -> bool {
        self.methods.contains(&method.as_str())
    }

    /// The methods as a caller is told them: HEAD goes without saying.
    pub(crate) fn allowed(&self) -> String {
        let told: Vec<&str> = self.methods.iter().copied().filter(|method| *method != "HEAD").collect();
        told.join(", ")
    }
}
