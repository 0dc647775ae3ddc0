use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The files of a SQLite database, with their identities from when the database was opened.
///
/// If a file is removed or replaced, SQLite continues to write to the old file, and later commits are lost.
#[derive(Debug)]
pub(super) struct Files {
    database: PathBuf,
    files: Vec<(PathBuf, Identity)>,
}

impl Files {
    pub(super) fn open(database: &Path) -> io::Result<Self> {
        // SQLite follows a symbolic link, and keeps the other files beside its target.
        let target = fs::canonicalize(database)?;
        let beside = |suffix: &str| {
            let mut path = target.clone().into_os_string();
            path.push(suffix);
            PathBuf::from(path)
        };
        // Without the write-ahead log or its index, commits are lost or overwritten.
        let files = [database.to_owned(), beside("-wal"), beside("-shm")].map(|path| {
            let identity = Identity::of(&path)?;
            Ok((path, identity))
        });
        Ok(Self {
            database: database.into(),
            files: files.into_iter().collect::<io::Result<_>>()?,
        })
    }

    /// Returns an error if a file was removed or replaced, or if the database file is empty.
    pub(super) fn check(&self) -> Result<(), String> {
        for (path, opened) in &self.files {
            if Identity::of(path).ok().as_ref() != Some(opened) {
                let path = path.display();
                return Err(format!("{path} was removed or replaced: restart the inbox"));
            }
        }
        // In WAL mode, the database file always contains the first page.
        if fs::metadata(&self.database).is_ok_and(|file| file.len() == 0) {
            return Err(format!("{} was truncated", self.database.display()));
        }
        Ok(())
    }
}

/// The device and the inode of a file.
#[derive(Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;

        let file = fs::metadata(path)?;
        Ok(Self(file.dev(), file.ino()))
    }

    /// Returns a constant, because Windows does not allow removing or replacing a file that SQLite has open.
    #[cfg(not(unix))]
    fn of(_: &Path) -> io::Result<Self> {
        Ok(Self(0, 0))
    }
}
