//! A handler that must stay on its thread.

use std::{cell::RefCell, rc::Rc};

#[farlens::remote]
trait Probe {
    async fn set(&self) -> farlens::Result<()>;
}

struct Local;

impl Probe for Local {
    async fn set(&self) -> farlens::Result<()> {
        let held = Rc::new(RefCell::new(1));
        std::future::ready(()).await;
        *held.borrow_mut() = 2;
        Ok(())
    }
}

fn main() {}
