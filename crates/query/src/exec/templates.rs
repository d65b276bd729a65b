//! Which message template the records of a source have.
//!
//! Rows of a segment have numbers into its list. Where there are none (live rows, older segments), and where the reader may not see
//! everything, so that nothing but what they see may count, it is the text that decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array as _, AsArray as _};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::UInt32Type;
use logkeep_ingest::SegmentHandle;
use logkeep_pattern::{Listed, Reader, StreamKey, Template, TemplateId};
use logkeep_segment::{Templates, fixed, stream_key};

use super::cache::BlockCache;
use super::chunk::{Chunk, Place, Source, Wanted};
use super::{Budget, QueryError};

/// What is asked for by whoever wants the records of one template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedTemplate {
    /// By its id, or one of the others that it is known by.
    Id(TemplateId),
    /// Every record that this template covers.
    Text(Template),
}

impl std::str::FromStr for AskedTemplate {
    type Err = String;

    /// 16 digits of base 16 are an id, anything else is a template's text.
    fn from_str(text: &str) -> Result<Self, String> {
        let is_id = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let (true, Ok(id)) = (is_id, u64::from_str_radix(text, 16)) {
            return Ok(Self::Id(TemplateId(id)));
        }
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        Ok(Self::Text(template))
    }
}

/// What an id means, over all lists.
#[derive(Debug, Default)]
pub(crate) struct Meant {
    /// All ids by which the template is known.
    pub(crate) ids: BTreeSet<TemplateId>,
    /// Its text in each stream, the more general before the less.
    pub(crate) texts: BTreeMap<StreamKey, Vec<Template>>,
}

impl Meant {
    /// Everything that is the same template by an id, or by its text.
    pub(crate) fn of(id: TemplateId, lists: &[Arc<Templates>]) -> Self {
        let all = || lists.iter().flat_map(|templates| templates.list()).map(|known| &known.listed);
        let mut ids = BTreeSet::from([id]);
        let mut texts: BTreeSet<String> = BTreeSet::new();
        loop {
            let before = (ids.len(), texts.len());
            for listed in all() {
                let text = || listed.template.to_string();
                if names(listed).any(|name| ids.contains(&name)) {
                    ids.extend(names(listed));
                    texts.insert(text());
                } else if !texts.is_empty() && texts.contains(&text()) {
                    ids.extend(names(listed));
                }
            }
            if before == (ids.len(), texts.len()) {
                break;
            }
        }
        let mut by_stream: BTreeMap<StreamKey, Vec<Template>> = BTreeMap::new();
        for listed in all().filter(|listed| names(listed).any(|name| ids.contains(&name))) {
            let known = by_stream.entry(listed.stream).or_default();
            if !known.contains(&listed.template) {
                known.push(listed.template.clone());
            }
        }
        by_stream.values_mut().for_each(|known| known.sort_by(Template::by_generality));
        Self { ids, texts: by_stream }
    }

    /// The text that covers most; `None` if nothing is known by the id.
    pub(crate) fn most_general(&self) -> Option<&Template> {
        self.texts.values().filter_map(|known| known.first()).min_by(|one, other| one.by_generality(other))
    }
}

/// The ids by which a template is known.
pub(crate) fn names(listed: &Listed) -> impl Iterator<Item = TemplateId> + '_ {
    listed.aliases.iter().chain([&listed.id]).copied()
}

/// Takes records of one template only.
pub(crate) struct TemplateFilter {
    asked: AskedTemplate,
    /// Whether lists may be used: they are of all records, whoever may see them.
    by_lists: bool,
    segments: Vec<Arc<SegmentHandle>>,
    meant: OnceLock<Meant>,
}

/// How it is told of the rows of one source.
pub(crate) enum RowTest<'a> {
    /// Of each number whether it stands for the template.
    Numbers(Vec<bool>),
    /// By the bodies.
    Bodies(&'a TemplateFilter),
}

impl TemplateFilter {
    pub(crate) fn new(asked: AskedTemplate, by_lists: bool, segments: Vec<Arc<SegmentHandle>>) -> Self {
        Self { asked, by_lists, segments, meant: OnceLock::new() }
    }

    /// What is asked for means; reads lists, blocking, the first time.
    fn meant(&self, cache: &BlockCache, budget: &Budget) -> Result<&Meant, QueryError> {
        if let Some(meant) = self.meant.get() {
            return Ok(meant);
        }
        let meant = match &self.asked {
            AskedTemplate::Id(id) if self.by_lists => Meant::of(*id, &lists(&self.segments, cache, budget)?),
            AskedTemplate::Id(_) | AskedTemplate::Text(_) => Meant::default(),
        };
        Ok(self.meant.get_or_init(|| meant))
    }

    /// The text that covers most of what is asked for; `None` if nothing is known by the id.
    pub(crate) fn text(&self, cache: &BlockCache, budget: &Budget) -> Result<Option<&Template>, QueryError> {
        Ok(match &self.asked {
            AskedTemplate::Text(template) => Some(template),
            AskedTemplate::Id(_) => self.meant(cache, budget)?.most_general(),
        })
    }

    /// The stored columns that decide.
    pub(crate) fn columns(&self, source: &Source) -> Result<Wanted, QueryError> {
        let names: &[&str] =
            if self.uses_numbers(source)? { &[fixed::TEMPLATE] } else { &[fixed::BODY, fixed::STREAM] };
        Ok(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn uses_numbers(&self, source: &Source) -> Result<bool, QueryError> {
        Ok(self.by_lists && matches!(self.asked, AskedTemplate::Id(_)) && is_numbered(source)?)
    }

    pub(crate) fn prepare(
        &self,
        source: &Source,
        cache: &BlockCache,
        budget: &Budget,
    ) -> Result<RowTest<'_>, QueryError> {
        let meant = self.meant(cache, budget)?;
        let Place::Segment(handle) = &source.place else { return Ok(RowTest::Bodies(self)) };
        if !self.uses_numbers(source)? {
            return Ok(RowTest::Bodies(self));
        }
        let Some(templates) = cache.templates(&*handle.segment()?)? else { return Ok(RowTest::Bodies(self)) };
        let is_meant = |number: u32| {
            let listed = templates.place(number).map(|place| &templates.list()[place].listed);
            listed.is_some_and(|listed| names(listed).any(|name| meant.ids.contains(&name)))
        };
        Ok(RowTest::Numbers((0..templates.numbers() as u32).map(is_meant).collect()))
    }

    /// Whether a body of this stream is of the template.
    fn covers(&self, reader: &mut Reader, stream: StreamKey, body: &str) -> bool {
        match &self.asked {
            AskedTemplate::Text(template) => template.matches(reader, body),
            AskedTemplate::Id(_) => {
                let Some(meant) = self.meant.get() else { return false };
                let mut covers = |texts: &Vec<Template>| texts.iter().any(|template| template.matches(reader, body));
                // A service whose records no segment lists yet may write what others write.
                match meant.texts.get(&stream) {
                    Some(own) => covers(own),
                    None => meant.texts.values().any(covers),
                }
            }
        }
    }
}

impl RowTest<'_> {
    /// Whether no row of the source can be of the template.
    pub(crate) fn is_never(&self) -> bool {
        matches!(self, Self::Numbers(accepted) if !accepted.contains(&true))
    }

    /// Which rows are of the template.
    pub(crate) fn mask(&self, chunk: &Chunk<'_>) -> Result<BooleanBuffer, QueryError> {
        match self {
            Self::Numbers(accepted) => {
                let numbers = chunk.column(fixed::TEMPLATE)?.as_primitive::<UInt32Type>();
                let is_meant = |row| accepted.get(numbers.value(row) as usize).copied().unwrap_or_default();
                Ok(BooleanBuffer::collect_bool(chunk.len(), |row| numbers.is_valid(row) && is_meant(row)))
            }
            Self::Bodies(filter) => {
                let bodies = chunk.column(fixed::BODY)?.as_string::<i32>();
                let streams: Vec<StreamKey> = chunk.rows.streams().iter().map(|stream| stream_key(stream)).collect();
                let stream_of = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values();
                let mut reader = Reader::default();
                Ok(BooleanBuffer::collect_bool(chunk.len(), |row| {
                    let stream = streams[stream_of[row] as usize];
                    bodies.is_valid(row) && filter.covers(&mut reader, stream, bodies.value(row))
                }))
            }
        }
    }
}

/// Whether the rows of a source have numbers of templates.
pub(crate) fn is_numbered(source: &Source) -> Result<bool, QueryError> {
    Ok(match &source.place {
        Place::Live(_) => false,
        Place::Segment(handle) => handle.segment()?.has_templates(),
    })
}

/// The lists of those segments that have one.
pub(crate) fn lists(
    segments: &[Arc<SegmentHandle>],
    cache: &BlockCache,
    budget: &Budget,
) -> Result<Vec<Arc<Templates>>, QueryError> {
    let mut lists = Vec::with_capacity(segments.len());
    for handle in segments {
        budget.check()?;
        lists.extend(cache.templates(&*handle.segment()?)?);
    }
    Ok(lists)
}
