//! The documentation in Markdown files and doc comments: links, tables, snippets and wording.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs,
    path::{Component, Path, PathBuf},
};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Wording to avoid, and what to write instead.
const WORDING: &[(&str, &str)] = &[
    (r"\b(is|are|was|were) over\b", "exceeds; has ended"),
    (r"(?i)\bwhoever\b", "an attacker; anyone who"),
    (r"(?i)\b(some|any|no)body\b", "a client; anyone; no one"),
    (r"(?i)\bwhat becomes of\b", "responses; results"),
    (r"\bwhat (came|comes)\b", "the result"),
    (r"\bon its way\b", "in flight"),
    (r"\ball that\b", "everything that; all"),
    (r"\bbe it\b", "either; or"),
    (r"\bof one's own\b", "separate"),
    (r"\bto its end\b", "completely"),
    (r"(?i)\bwhite space\b", "whitespace"),
    (r"(?i)\brefus(e|es|ed|al|als)\b", "reject"),
    (r"(?i)\bthe answers?\b", "response; status"),
    (r"\bpieces? of (a|the) body\b", "chunk"),
    (r"\bfor ever\b", "forever; indefinitely"),
    (r"\bhas to be waited for\b", "is awaited"),
    (r"\bSwaps\b", "Replaces"),
    (r"\bis told\b", "receives"),
    (r"\bnothing but\b", "only"),
    (r"\bso much as\b", "even"),
    (r"\bthere (is|are) no more\b", "no longer"),
    (r"(?i)\bwebhook answers\b", "responses"),
];

/// The first words of a doc comment that does not say what an item is or does.
const FIRST_WORDS: &str = r"^(What|Whether|Where|When|Who|Why|How|It|That|Those|These|This) ";

/// A Markdown file, or one doc comment of a Rust file.
struct Page {
    path: PathBuf,
    line: usize,
    markdown: String,
}

impl Page {
    fn events(&self) -> Parser<'_> {
        Parser::new_ext(&self.markdown, Options::ENABLE_TABLES)
    }

    /// The path and the line, for a message.
    fn place(&self, offset: usize) -> String {
        let path = self.path.strip_prefix(ROOT).unwrap();
        let line = self.line + self.markdown[..offset].matches('\n').count();
        format!("{}:{line}", path.display())
    }

    /// The text of each paragraph, heading, list item and cell without code, and its offset.
    fn prose(&self) -> Vec<(usize, String)> {
        let (mut blocks, mut in_code) = (vec![(0, String::new())], false);
        for (event, range) in self.events().into_offset_iter() {
            let (_, block) = blocks.last_mut().unwrap();
            match event {
                Event::Start(Tag::CodeBlock(_)) => in_code = true,
                Event::End(TagEnd::CodeBlock) => in_code = false,
                Event::Text(text) if !in_code => block.push_str(&text),
                Event::Code(_) => block.push('`'),
                Event::SoftBreak | Event::HardBreak => block.push(' '),
                Event::Start(Tag::Paragraph | Tag::Item | Tag::Heading { .. } | Tag::TableCell) => {
                    blocks.push((range.start, String::new()));
                }
                _ => {}
            }
        }
        blocks
    }

    /// The first cells of the rows of each table, and the offset of the table.
    fn tables(&self) -> Vec<(usize, HashSet<String>)> {
        let (mut tables, mut cell, mut column) = (Vec::<(_, HashSet<_>)>::new(), String::new(), 1);
        for (event, range) in self.events().into_offset_iter() {
            match event {
                Event::Start(Tag::Table(_)) => tables.push((range.start, HashSet::new())),
                Event::Start(Tag::TableRow) => column = 0,
                Event::Start(Tag::TableCell) => cell.clear(),
                Event::Text(text) | Event::Code(text) => cell.push_str(&text),
                Event::End(TagEnd::TableCell) => {
                    if column == 0 && cell.contains(char::is_alphabetic) {
                        tables.last_mut().unwrap().1.insert(cell.clone());
                    }
                    column += 1;
                }
                _ => {}
            }
        }
        tables
    }

    /// The anchors of the headings, as code hosts generate them.
    fn anchors(&self) -> HashSet<String> {
        let (mut anchors, mut heading) = (HashSet::new(), None);
        for event in self.events() {
            match (event, &mut heading) {
                (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
                (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
                (Event::End(TagEnd::Heading(_)), _) => {
                    let heading = heading.take().unwrap().to_lowercase();
                    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
                    anchors.insert(
                        heading
                            .chars()
                            .filter(kept)
                            .collect::<String>()
                            .replace(' ', "-"),
                    );
                }
                _ => {}
            }
        }
        anchors
    }

    /// The code blocks in Rust.
    fn snippets(&self) -> Vec<String> {
        let mut snippets = Vec::new();
        let mut in_rust = false;
        for event in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    in_rust = info.split(',').next() == Some("rust");
                    if in_rust {
                        snippets.push(String::new());
                    }
                }
                Event::End(TagEnd::CodeBlock) => in_rust = false,
                Event::Text(text) if in_rust => snippets.last_mut().unwrap().push_str(&text),
                _ => {}
            }
        }
        snippets
    }
}

/// Returns the files of the repository with this extension.
fn files(extension: &str) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::from(ROOT)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap();
            if path.is_dir() {
                if !name.starts_with('.') && !name.starts_with("target") && name != "node_modules" {
                    folders.push(path);
                }
            } else if path.extension() == Some(extension.as_ref()) {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty());
    files.sort();
    files
}

fn markdown_pages() -> Vec<Page> {
    let page = |path: PathBuf| Page {
        markdown: fs::read_to_string(&path).unwrap(),
        line: 1,
        path,
    };
    files("md").into_iter().map(page).collect()
}

/// Returns the comments that start with one of `starts`, each block of lines as a page.
fn comments(path: &Path, starts: &[&str]) -> Vec<Page> {
    let mut pages = Vec::<Page>::new();
    let mut next = 0;
    for (index, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
        let line = line.trim_start();
        let Some(text) = starts.iter().find_map(|start| line.strip_prefix(start)) else {
            continue;
        };
        let text = text.strip_prefix(' ').unwrap_or(text);
        if index != next || pages.is_empty() {
            pages.push(Page {
                path: path.to_owned(),
                line: index + 1,
                markdown: String::new(),
            });
        }
        next = index + 1;
        let page = pages.last_mut().unwrap();
        page.markdown.push_str(text);
        page.markdown.push('\n');
    }
    pages
}

fn doc_comments() -> Vec<Page> {
    let docs = |path: PathBuf| comments(&path, &["//!", "///"]);
    files("rs").into_iter().flat_map(docs).collect()
}

/// Joins paths without accessing the file system, so that `..` works for a missing folder too.
fn join(folder: &Path, relative: &str) -> PathBuf {
    let mut joined = PathBuf::new();
    for component in folder.join(relative).components() {
        match component {
            Component::ParentDir => drop(joined.pop()),
            Component::CurDir => {}
            component => joined.push(component),
        }
    }
    joined
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn each_relative_link_leads_to_a_file_and_a_heading() {
    let pages = markdown_pages();
    let mut dead = Vec::new();
    for page in &pages {
        for (event, range) in page.events().into_offset_iter() {
            let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event
            else {
                continue;
            };
            if dest_url.contains("://") {
                continue;
            }
            let (file, anchor) = dest_url.split_once('#').unwrap_or((&dest_url, ""));
            let target = match file {
                "" => join(&page.path, ""),
                file => join(page.path.parent().unwrap(), file),
            };
            let heading = || {
                let target = pages.iter().find(|page| join(&page.path, "") == target);
                target.is_some_and(|target| target.anchors().contains(anchor))
            };
            if !target.exists() || (!anchor.is_empty() && !heading()) {
                dead.push(format!("{}: {dest_url}", page.place(range.start)));
            }
        }
    }
    assert_none(&dead);
}

#[test]
fn no_table_is_repeated() {
    let pages: Vec<_> = markdown_pages().into_iter().chain(doc_comments()).collect();
    let mut tables = Vec::new();
    for page in &pages {
        let found = page.tables().into_iter();
        tables.extend(found.map(|(offset, rows)| (page.place(offset), rows)));
    }
    let mut repeated = Vec::new();
    for (index, (place, rows)) in tables.iter().enumerate() {
        for (other, other_rows) in tables.iter().skip(index + 1) {
            let shared: Vec<_> = rows.intersection(other_rows).collect();
            if shared.len() > 2 && 2 * shared.len() > rows.len().min(other_rows.len()) {
                repeated.push(format!("{place} and {other}: {shared:?}"));
            }
        }
    }
    assert_none(&repeated);
}

#[test]
fn each_snippet_is_compiled_and_complete() {
    let included = Regex::new(r#"include_str!\("([^"]+\.md)"\)"#).unwrap();
    let mut compiled = HashSet::new();
    for path in files("rs") {
        let source = fs::read_to_string(&path).unwrap();
        for include in included.captures_iter(&source) {
            compiled.insert(join(path.parent().unwrap(), &include[1]));
        }
    }
    let mut wrong = Vec::new();
    for page in markdown_pages() {
        let snippets = page.snippets();
        if !snippets.is_empty() && !compiled.contains(&join(&page.path, "")) {
            wrong.push(format!("{}: no test includes it", page.path.display()));
        }
        let hidden = |line: &&str| *line == "#" || line.starts_with("# ");
        for line in snippets
            .iter()
            .flat_map(|snippet| snippet.lines())
            .filter(hidden)
        {
            wrong.push(format!(
                "{}: hidden line, which code hosts show: {line:?}",
                page.path.display()
            ));
        }
    }
    assert_none(&wrong);
}

#[test]
fn wording_is_plain() {
    let first_words = Regex::new(FIRST_WORDS).unwrap();
    let avoided: Vec<_> = WORDING
        .iter()
        .map(|(wording, instead)| (Regex::new(wording).unwrap(), instead))
        .collect();
    let any = WORDING.iter().map(|(wording, _)| format!("({wording})"));
    let any = Regex::new(&any.collect::<Vec<_>>().join("|")).unwrap();
    let mut found = Vec::new();
    for page in doc_comments() {
        if first_words.is_match(&page.markdown) {
            let line = page.markdown.lines().next().unwrap();
            found.push(format!("{}: {line}", page.place(0)));
        }
    }
    let mut pages = markdown_pages();
    for path in files("rs") {
        pages.extend(comments(&path, &["//!", "///", "//"]));
    }
    for page in &pages {
        for (offset, block) in page.prose() {
            if !any.is_match(&block) {
                continue;
            }
            for (wording, instead) in &avoided {
                if let Some(wording) = wording.find(&block) {
                    let (place, wording) = (page.place(offset), wording.as_str());
                    found.push(format!("{place}: {wording:?}, better: {instead}"));
                }
            }
        }
    }
    assert_none(&found);
}
