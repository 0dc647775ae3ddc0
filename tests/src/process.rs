use core::time::Duration;
use std::fs;

/// A process, and its use of memory and time as Linux reports it.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    /// Creates a view of the process with this id.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        Self(pid)
    }

    /// Returns the resident memory in bytes.
    #[must_use]
    pub fn resident_bytes(self) -> u64 {
        self.status("VmRSS:")
    }

    /// Returns the reserved address space in bytes.
    #[must_use]
    pub fn address_space_bytes(self) -> u64 {
        self.status("VmSize:")
    }

    fn status(self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok())
            .expect("a number")
            * 1024
    }

    /// Returns the processor time that the process has used.
    #[must_use]
    pub fn cpu_time(self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).expect("a process");
        // The second field is a name in parentheses, which may contain spaces.
        let (_, fields) = stat.rsplit_once(") ").expect("fields");
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: u64 = ticks
            .map(|ticks| ticks.parse::<u64>().expect("a number"))
            .sum();
        // A tick is 10 ms on every Linux (USER_HZ).
        Duration::from_millis(ticks * 10)
    }
}
