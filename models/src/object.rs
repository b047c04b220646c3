//! What the clients of a system use it as: one object with a specification.

use std::convert::Infallible;

use tribunal_checker::Specification;

use crate::clients::History;
use crate::system::{ModelSystem, Response};

/// How a system's clients use it as an object, which judges their history.
pub trait Object<S: ModelSystem>: 'static {
    /// What the object is right to do.
    type Specification: Specification;

    /// The object before anything was asked.
    fn specification() -> Self::Specification;

    /// What a planned operation asks of the object; nothing, if it promises less
    /// than the object and is not judged.
    fn call(system: &S, operation: &S::Operation) -> Option<Call<S, Self>>;

    /// What the object answered, where the system responds so.
    fn returned(response: &Response<S>) -> Return<S, Self>;
}

/// What an object is asked.
type Call<S, O> = <<O as Object<S>>::Specification as Specification>::Call;
/// What an object answers.
type Return<S, O> = <<O as Object<S>>::Specification as Specification>::Return;

/// What a system's clients use it as.
pub type SpecificationOf<S> = <<S as ModelSystem>::Object as Object<S>>::Specification;
/// What the clients of a system ask of its object.
pub type CallOf<S> = Call<S, <S as ModelSystem>::Object>;
/// What the object of a system answers.
pub type ReturnOf<S> = Return<S, <S as ModelSystem>::Object>;
/// The history of a system's clients.
pub type HistoryOf<S> = History<Response<S>, SpecificationOf<S>>;

/// An object that nothing is asked of: of systems whose clients' history is not
/// judged.
#[derive(Clone, Copy, Debug)]
pub struct Unjudged;

impl<S: ModelSystem> Object<S> for Unjudged {
    type Specification = Unjudged;

    fn specification() -> Unjudged {
        Unjudged
    }

    fn call(_: &S, _: &S::Operation) -> Option<Infallible> {
        None
    }

    fn returned(_: &Response<S>) {}
}

impl Specification for Unjudged {
    type State = ();
    type Call = Infallible;
    type Return = ();

    fn initial(&self) {}

    fn step(&self, (): &(), call: &Infallible, _: Option<&()>) -> Option<()> {
        match *call {}
    }
}
