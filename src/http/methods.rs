//! A resource by its methods: HEAD is answered wherever GET is, and a method that the resource does
//! not have is refused with the list of those that it has.

use actix_web::web::{self, get, head, post};
use actix_web::{FromRequest, Handler, Resource, Responder};

use super::refusal::Refused;

/// A resource that is being put together.
pub(crate) struct Methods {
    resource: Resource,
    names: Vec<&'static str>,
}

/// The resource of a path, without a method yet.
pub(crate) fn at(path: &str) -> Methods {
    Methods { resource: web::resource(path), names: Vec::new() }
}

impl Methods {
    /// Answers GET, and HEAD with the same handler: the server then sends only the head of the
    /// answer.
    pub(crate) fn get<F, A>(mut self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.names.extend(["GET", "HEAD"]);
        Methods {
            resource: self.resource.route(get().to(handler.clone())).route(head().to(handler)),
            ..self
        }
    }

    /// Answers POST.
    pub(crate) fn post<F, A>(mut self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.names.push("POST");
        Methods { resource: self.resource.route(post().to(handler)), ..self }
    }

    /// The resource, and how it refuses any other method.
    pub(crate) fn parts(self) -> (Resource, Refused) {
        (self.resource, Refused::WrongMethod(self.names.join(", ")))
    }

    /// A resource for programs: other methods are refused in JSON.
    pub(super) fn resource(self) -> Resource {
        let (resource, refused) = self.parts();
        resource.default_service(web::to(move || std::future::ready(Err::<(), _>(refused.clone()))))
    }
}
