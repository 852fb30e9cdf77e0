//! The kernel program: finds the IP packet in a frame and charges it to the tables, at the ingress or egress of an interface.
//! It never drops, changes or delays a packet, and decides nothing: what it sees leaves as snapshots.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]

/// Only the kernel can run the program.
#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
#[expect(unsafe_code, reason = "maps, helpers and the frame are the kernel's")]
mod kernel {
    use core::ptr::NonNull;

    use aya_ebpf::Global;
    use aya_ebpf::bindings::{__sk_buff, BPF_NOEXIST, TC_ACT_UNSPEC};
    use aya_ebpf::helpers::{bpf_ktime_get_boot_ns, bpf_skb_load_bytes};
    use aya_ebpf::macros::{classifier, map};
    use aya_ebpf::maps::{HashMap, LruHashMap, PerCpuArray, RingBuf};
    use aya_ebpf::programs::TcContext;
    use ebpf::account::{Limits, Work, account};
    use ebpf::flow::{FlowKey, FlowStats};
    use ebpf::host::{HostKey, HostStats};
    use ebpf::packet::{HEAD, Packet, Refusal, nest_vlan, parse};
    use ebpf::pair::{PairKey, PairStats};
    use ebpf::program::{Count, Counters, LINKS, Table};
    use ebpf::snapshot::Snapshot;
    use ebpf::tables::{Loss, Tables};

    /// The loader gives every table its size: one entry here shows a loader that does not.
    const UNSIZED: u32 = 1;
    /// Bytes of the ring, a power of two: some 16,000 snapshots between two reads.
    const RING_SIZE: u32 = 8 << 20;

    const ETHERNET: u32 = 14;
    /// Tags a frame may carry after the one the kernel took off: a provider's and a customer's (IEEE 802.1ad).
    const MAX_TAGS: u32 = 2;

    const NO_REPLACE: u64 = BPF_NOEXIST as u64;

    #[map]
    static FLOWS: LruHashMap<FlowKey, FlowStats> = LruHashMap::with_max_entries(UNSIZED, 0);
    #[map]
    static HOSTS: LruHashMap<HostKey, HostStats> = LruHashMap::with_max_entries(UNSIZED, 0);
    #[map]
    static PAIRS: LruHashMap<PairKey, PairStats> = LruHashMap::with_max_entries(UNSIZED, 0);
    #[map]
    static SUSPECTS: HashMap<HostKey, u32> = HashMap::with_max_entries(UNSIZED, 0);
    #[map]
    static SNAPSHOTS: RingBuf = RingBuf::with_byte_size(RING_SIZE, 0);
    #[map]
    static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(LINKS, 0);
    #[map]
    static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

    #[unsafe(no_mangle)]
    static LIMITS: Global<Limits> = Global::new(Limits {
        seed: 0,
        flood_guard: 0,
        separate_tags: 0,
    });
    #[unsafe(no_mangle)]
    static REPLAY: Global<u32> = Global::new(0);

    /// What a packet needs beyond the stack.
    #[repr(C)]
    struct Scratch {
        head: [u8; HEAD],
        work: Work,
        /// What a host or pair is before its first packet.
        host: HostStats,
        pair: PairStats,
    }

    /// A field of the frame's context. Volatile: merged with another read, the verifier would refuse it.
    macro_rules! field {
        ($frame:ident.$field:ident) => {
            // SAFETY: the kernel gave the context, and turns this into a read of the frame's own field.
            unsafe { (&raw const (*$frame).$field).read_volatile() }
        };
    }

    /// Meters a frame that begins with an Ethernet header, and leaves it to whatever else is attached.
    #[classifier]
    pub(crate) fn garita_meter(context: TcContext) -> i32 {
        meter(&context, ETHERNET)
    }

    /// Meters a frame that begins with the IP header.
    #[classifier]
    pub(crate) fn garita_raw(context: TcContext) -> i32 {
        meter(&context, 0)
    }

    #[inline(always)]
    fn meter(context: &TcContext, link_header: u32) -> i32 {
        let frame = context.skb.skb;
        let link = field!(frame.ifindex);
        if let (Some(counters), Some(scratch)) = (
            COUNTERS.get_ptr_mut(link & (LINKS - 1)),
            SCRATCH.get_ptr_mut(0),
        ) {
            // SAFETY: both belong to this CPU, and a classifier runs to its end, softirqs off, before another starts.
            let (counters, scratch) = unsafe { (&mut *counters, &mut *scratch) };
            charge(frame, link_header, counters, scratch);
        }
        TC_ACT_UNSPEC
    }

    #[inline(always)]
    fn charge(
        frame: *mut __sk_buff,
        link_header: u32,
        counters: &mut Counters,
        scratch: &mut Scratch,
    ) {
        count(counters, Count::Frame);
        let Some(place) = find_ip(frame, link_header) else {
            return count(counters, Count::NotIp);
        };
        let Scratch {
            head,
            work,
            host,
            pair,
        } = scratch;
        if let Err(refusal) = read(frame, &place, head, &mut work.packet) {
            return count(counters, Count::Refused(refusal));
        }
        work.limits = LIMITS.load();
        let mut tables = Maps {
            counters,
            host,
            pair,
        };
        account(&mut tables, work);
    }

    /// Where the IP header of a frame should begin, and what stood before it.
    struct Place {
        at: u32,
        tag: u32,
        version: u8,
    }

    #[inline(always)]
    fn find_ip(frame: *mut __sk_buff, link_header: u32) -> Option<Place> {
        let mut protocol = u16::from_be(field!(frame.protocol) as u16);
        let mut at = link_header;
        let mut tag = 0;
        if field!(frame.vlan_present) != 0 {
            tag = nest_vlan(0, field!(frame.vlan_tci) as u16);
        }
        for _ in 0..MAX_TAGS {
            if !matches!(protocol, 0x8100 | 0x88a8 | 0x9100) {
                break;
            }
            let mut header = [0u8; 4];
            // SAFETY: the helper writes the four bytes of `header`, or fails.
            if unsafe { bpf_skb_load_bytes(frame.cast(), at, header.as_mut_ptr().cast(), 4) } != 0 {
                return None;
            }
            let [control @ .., high, low] = header;
            tag = nest_vlan(tag, u16::from_be_bytes(control));
            protocol = u16::from_be_bytes([high, low]);
            at += 4;
        }
        let version = match protocol {
            0x0800 => 4,
            0x86dd => 6,
            _ => return None,
        };
        Some(Place { at, tag, version })
    }

    /// Copies the head of the IP packet at `place` and parses it.
    #[inline(always)]
    fn read(
        frame: *mut __sk_buff,
        place: &Place,
        head: &mut [u8; HEAD],
        packet: &mut Packet,
    ) -> Result<(), Refusal> {
        let length = field!(frame.len);
        let (link, wire, nanos) = if REPLAY.load() == 0 {
            // SAFETY: the helper takes nothing and only reads the clock.
            let nanos = unsafe { bpf_ktime_get_boot_ns() };
            (field!(frame.ifindex), length, nanos)
        } else {
            (0, field!(frame.wire_len), field!(frame.tstamp))
        };
        if length <= place.at {
            return Err(Refusal::Truncated);
        }
        let captured = (length - place.at).min(HEAD as u32);
        let into = head.as_mut_ptr().cast();
        // SAFETY: the helper writes at most the bytes of `head`, or fails.
        if unsafe { bpf_skb_load_bytes(frame.cast(), place.at, into, captured) } != 0 {
            return Err(Refusal::Truncated);
        }
        if head[0] >> 4 != place.version {
            return Err(Refusal::Version);
        }
        *packet = Packet {
            time: nanos / 1000,
            link,
            tag: place.tag,
            bytes: wire - place.at,
            segments: field!(frame.gso_segs),
            ..Packet::default()
        };
        parse(head, captured, packet)
    }

    #[inline(always)]
    fn count(counters: &mut Counters, count: Count) {
        if let Some(counter) = counters.get_mut(count.index()) {
            *counter += 1;
        }
    }

    /// The kernel's maps as the meter's tables; a handle is a pointer to an entry.
    struct Maps<'a> {
        counters: &'a mut Counters,
        host: &'a HostStats,
        pair: &'a PairStats,
    }

    impl Tables for Maps<'_> {
        type Flow = NonNull<FlowStats>;
        type Host = NonNull<HostStats>;
        type Pair = NonNull<PairStats>;

        #[inline(always)]
        fn find_flow(&mut self, key: &FlowKey) -> Option<Self::Flow> {
            FLOWS.get_ptr_mut(key).and_then(NonNull::new)
        }

        #[inline(always)]
        fn insert_flow(&mut self, key: &FlowKey, flow: &FlowStats) {
            match FLOWS.insert(key, flow, 0) {
                Ok(()) => count(self.counters, Count::Opened(Table::Flows)),
                Err(_) => self.lose(Loss::Flow),
            }
        }

        #[inline(always)]
        fn flow(&mut self, mut flow: Self::Flow) -> &mut FlowStats {
            // SAFETY: an entry stays allocated while the program runs; races with other CPUs cost counts, not memory.
            unsafe { flow.as_mut() }
        }

        /// The LRU does it: a flow that is looked up again outlives those that are not.
        #[inline(always)]
        fn keep_flow(&mut self, _: Self::Flow) {}

        #[inline(always)]
        fn find_host(&mut self, key: &HostKey) -> Option<Self::Host> {
            HOSTS.get_ptr_mut(key).and_then(NonNull::new)
        }

        #[inline(always)]
        fn open_host(&mut self, key: &HostKey) -> Option<Self::Host> {
            if let Some(host) = self.find_host(key) {
                return Some(host);
            }
            // Where it fails another CPU was faster, or the map is full: the lookup tells.
            if HOSTS.insert(key, self.host, NO_REPLACE).is_ok() {
                count(self.counters, Count::Opened(Table::Hosts));
            }
            self.find_host(key)
        }

        #[inline(always)]
        fn host(&mut self, mut host: Self::Host) -> &mut HostStats {
            // SAFETY: as for flows.
            unsafe { host.as_mut() }
        }

        #[inline(always)]
        fn find_pair(&mut self, key: &PairKey) -> Option<Self::Pair> {
            PAIRS.get_ptr_mut(key).and_then(NonNull::new)
        }

        #[inline(always)]
        fn open_pair(&mut self, key: &PairKey) -> Option<Self::Pair> {
            if let Some(pair) = self.find_pair(key) {
                return Some(pair);
            }
            if PAIRS.insert(key, self.pair, NO_REPLACE).is_ok() {
                count(self.counters, Count::Opened(Table::Pairs));
            }
            self.find_pair(key)
        }

        #[inline(always)]
        fn pair(&mut self, mut pair: Self::Pair) -> &mut PairStats {
            // SAFETY: as for flows.
            unsafe { pair.as_mut() }
        }

        #[inline(always)]
        fn is_suspect(&mut self, host: &HostKey) -> bool {
            SUSPECTS.get_ptr(host).is_some()
        }

        #[inline(always)]
        fn emit(&mut self, snapshot: &Snapshot) {
            if SNAPSHOTS.output::<Snapshot>(snapshot, 0).is_err() {
                count(self.counters, Count::RingFull);
            }
        }

        #[inline(always)]
        fn lose(&mut self, loss: Loss) {
            count(self.counters, Count::Lost(loss));
        }
    }

    /// The verifier has shown that nothing panics; the compiler wants it said.
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    /// The clock and the ring are helpers for programs under the kernel's own licence.
    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
}
