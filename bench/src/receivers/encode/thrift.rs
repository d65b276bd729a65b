//! Thrift's binary and compact protocols, as far as Jaeger's clients write them.

/// Which of the two.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
    Binary,
    Compact,
}

/// What is in a field, or in a list.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    I32,
    I64,
    Text,
    Struct,
    List,
}

impl Kind {
    fn code(self, form: Form) -> u8 {
        let (binary, compact) = match self {
            // The compact one has the value here: 1 for true.
            Self::Bool => (2, 2),
            Self::I32 => (8, 5),
            Self::I64 => (10, 6),
            Self::Text => (11, 8),
            Self::Struct => (12, 12),
            Self::List => (15, 9),
        };
        if form == Form::Binary { binary } else { compact }
    }
}

/// Writes structs.
pub(super) struct Writer {
    out: Vec<u8>,
    form: Form,
    /// The last field of each struct that is open.
    last: Vec<i16>,
}

impl Writer {
    pub(super) fn new(form: Form) -> Self {
        Self { out: Vec::new(), form, last: Vec::new() }
    }

    /// A call that awaits no answer; its arguments are the first struct.
    pub(super) fn call(form: Form, name: &str) -> Self {
        let mut writer = Self::new(form);
        match form {
            Form::Binary => {
                writer.out.extend([0x80, 1, 0, 4]);
                writer.length(name.len());
                writer.out.extend(name.as_bytes());
                writer.out.extend([0; 4]);
            }
            Form::Compact => {
                writer.out.extend([0x82, 4 << 5 | 1, 0]);
                writer.length(name.len());
                writer.out.extend(name.as_bytes());
            }
        }
        writer
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Begins a struct that is in no field.
    pub(super) fn begin(&mut self) {
        self.last.push(0);
    }

    /// The end of a struct.
    pub(super) fn end(&mut self) {
        self.last.pop();
        self.out.push(0);
    }

    fn field(&mut self, kind: u8, number: i16) {
        let last = self.last.last_mut().map_or(0, |last| std::mem::replace(last, number));
        match (self.form, number - last) {
            (Form::Binary, _) => {
                self.out.push(kind);
                self.out.extend(number.to_be_bytes());
            }
            (Form::Compact, step @ 1..=15) => self.out.push((step as u8) << 4 | kind),
            (Form::Compact, _) => {
                self.out.push(kind);
                self.zigzag(number.into());
            }
        }
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    fn zigzag(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    fn length(&mut self, length: usize) {
        match self.form {
            Form::Binary => self.out.extend((length as u32).to_be_bytes()),
            Form::Compact => self.varint(length as u64),
        }
    }

    pub(super) fn truth(&mut self, number: i16, value: bool) {
        let kind = Kind::Bool.code(self.form);
        match self.form {
            Form::Binary => {
                self.field(kind, number);
                self.out.push(value.into());
            }
            Form::Compact => self.field(kind - u8::from(value), number),
        }
    }

    pub(super) fn int32(&mut self, number: i16, value: i32) {
        self.field(Kind::I32.code(self.form), number);
        match self.form {
            Form::Binary => self.out.extend(value.to_be_bytes()),
            Form::Compact => self.zigzag(value.into()),
        }
    }

    pub(super) fn int64(&mut self, number: i16, value: i64) {
        self.field(Kind::I64.code(self.form), number);
        match self.form {
            Form::Binary => self.out.extend(value.to_be_bytes()),
            Form::Compact => self.zigzag(value),
        }
    }

    pub(super) fn text(&mut self, number: i16, value: &str) {
        self.field(Kind::Text.code(self.form), number);
        self.length(value.len());
        self.out.extend(value.as_bytes());
    }

    /// Begins a struct in a field.
    pub(super) fn structure(&mut self, number: i16) {
        self.field(Kind::Struct.code(self.form), number);
        self.begin();
    }

    /// A list in a field, of structs that are to follow.
    pub(super) fn structures(&mut self, number: i16, length: usize) {
        self.field(Kind::List.code(self.form), number);
        let kind = Kind::Struct.code(self.form);
        match (self.form, length) {
            (Form::Compact, 0..=14) => self.out.push((length as u8) << 4 | kind),
            (Form::Compact, _) => {
                self.out.push(0xf0 | kind);
                self.length(length);
            }
            (Form::Binary, _) => {
                self.out.push(kind);
                self.length(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols() {
        let written = |form| {
            let mut writer = Writer::call(form, "go");
            writer.begin();
            writer.structure(1);
            writer.truth(1, true);
            writer.int64(30, -2);
            writer.structures(31, 1);
            writer.begin();
            writer.text(2, "x");
            writer.int32(3, 300);
            writer.end();
            writer.end();
            writer.end();
            writer.finish()
        };
        let head = b"\x80\x01\0\x04\0\0\0\x02go\0\0\0\0\x0c\0\x01";
        let fields = b"\x02\0\x01\x01\x0a\0\x1e\xff\xff\xff\xff\xff\xff\xff\xfe\x0f\0\x1f\x0c\0\0\0\x01";
        let element = b"\x0b\0\x02\0\0\0\x01x\x08\0\x03\0\0\x01\x2c\0\0\0";
        assert_eq!(written(Form::Binary), [&head[..], fields, element].concat());
        let compact = b"\x82\x81\0\x02go\x1c\x11\x06\x3c\x03\x19\x1c\x28\x01x\x15\xd8\x04\0\0\0";
        assert_eq!(written(Form::Compact), compact);
    }
}
