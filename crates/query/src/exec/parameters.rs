//! What records have where their template leaves something open.

use std::ops::ControlFlow;

use arrow::array::AsArray as _;
use logkeep_pattern::{Kind, Reader, Template};
use logkeep_record::Value;
use logkeep_segment::fixed;

use super::QueryError;
use super::chunk::Wanted;
use super::fields::{Room, Tally, ValueCount};
use super::scan::{Conditions, Scan};

/// The variables of a template, over all matching records.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The template's text.
    pub template: Template,
    /// Matching records.
    pub total: u64,
    /// Those of which a narrower template of the same id is, so that their parameters are other ones.
    pub otherwise: u64,
    /// Each variable, in order.
    pub variables: Vec<Variable>,
}

/// One variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// What its values look like: of the first record.
    pub kind: Kind,
    /// Its most frequent values.
    pub top: Vec<ValueCount>,
    /// Whether there are more distinct values than were counted.
    pub many: bool,
}

impl Scan {
    /// Of the template that the scan is for; `None` if nothing is known of it.
    pub(crate) fn parameters(&self, limit: usize) -> Result<Option<Parameters>, QueryError> {
        let Some(filter) = &self.template else { return Ok(None) };
        let Some(template) = filter.text(&self.cache, &self.budget)?.cloned() else { return Ok(None) };
        let wanted: Wanted = [fixed::BODY.to_owned()].into();
        let mut reader = Reader::default();
        let mut variables: Vec<(Kind, Tally)> = Vec::new();
        let (mut total, mut otherwise, mut room) = (0, 0, Room::default());
        for source in &self.sources {
            let _ = self.each(source, &wanted, Conditions::default(), &mut |chunk| {
                let bodies = chunk.column(fixed::BODY)?.as_string::<i32>();
                total += chunk.len() as u64;
                for body in bodies {
                    let found = body.and_then(|body| Some((body, template.parameters(&mut reader, body)?)));
                    let Some((body, parameters)) = found else {
                        otherwise += 1;
                        continue;
                    };
                    for (at, parameter) in parameters.into_iter().enumerate() {
                        if at == variables.len() {
                            variables.push((parameter.kind, Tally::default()));
                        }
                        let value = body.get(parameter.place).unwrap_or_default();
                        variables[at].1.add(&Value::str(value), 1, &mut room);
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        let variable = |(kind, tally): (Kind, Tally)| {
            let many = tally.is_full();
            Variable { kind, top: tally.top(limit), many }
        };
        let variables = variables.into_iter().map(variable).collect();
        Ok(Some(Parameters { template, total, otherwise, variables }))
    }
}
