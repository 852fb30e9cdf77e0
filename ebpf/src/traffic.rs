//! What the meter's cost is measured with: a source of frames, a program that does nothing, and one with a single lookup.
//! It is no part of the product, and runs in no namespace that has a way out.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]

/// Only the kernel can run the programs.
#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
#[expect(unsafe_code, reason = "maps, helpers and the frame are the kernel's")]
mod kernel {
    use aya_ebpf::bindings::{TC_ACT_UNSPEC, xdp_action::XDP_PASS};
    use aya_ebpf::helpers::bpf_skb_load_bytes;
    use aya_ebpf::macros::{classifier, map, xdp};
    use aya_ebpf::maps::{Array, LruHashMap};
    use aya_ebpf::programs::{TcContext, XdpContext};
    use ebpf::flow::FlowKey;
    use ebpf::packet::{Address, Endpoints};

    /// The loader gives it its size.
    #[map]
    static SEEN: LruHashMap<FlowKey, u64> = LruHashMap::with_max_entries(1, 0);
    #[map]
    static ORDER: Array<Order> = Array::with_max_entries(1, 0);

    /// What frames to make.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Order {
        /// Frames made so far.
        next: u64,
        /// Conversations that take turns; 0: each frame opens one.
        flows: u64,
        /// Clients of IPv4; 0: each frame has a source of its own, of IPv6.
        clients: u64,
        servers: u64,
    }

    const ETHERNET: usize = 14;
    const SYN: u8 = 0x02;
    const PSH: u8 = 0x08;
    const ACK: u8 = 0x10;
    /// Payload of a frame that carries any.
    const PAYLOAD: u32 = 10;

    /// Does nothing: what the kernel takes to run any program.
    #[classifier]
    pub(crate) fn empty(_: TcContext) -> i32 {
        TC_ACT_UNSPEC
    }

    /// Counts the packets of each conversation, and nothing else.
    #[classifier]
    pub(crate) fn lookup(context: TcContext) -> i32 {
        if let Some(key) = read(&context) {
            match SEEN.get_ptr_mut(&key) {
                // SAFETY: an entry stays allocated while the program runs.
                Some(count) => unsafe { *count += 1 },
                None => drop(SEEN.insert(&key, &1, 0)),
            }
        }
        TC_ACT_UNSPEC
    }

    /// As far as the ports of either family, aligned as the meter's is.
    #[repr(C, align(8))]
    struct Start([u8; 48]);

    #[inline(always)]
    fn read(context: &TcContext) -> Option<FlowKey> {
        let mut head = Start([0; 48]);
        let (frame, into) = (context.skb.skb.cast(), head.0.as_mut_ptr().cast());
        // SAFETY: the helper writes at most the bytes of `head`, or fails.
        if unsafe { bpf_skb_load_bytes(frame, ETHERNET as u32, into, 44) } != 0 {
            return None;
        }
        let word = |at: usize| {
            u32::from_be_bytes([head.0[at], head.0[at + 1], head.0[at + 2], head.0[at + 3]])
        };
        let long = |at: usize| -> u64 { u64::from(word(at)) << 32 | u64::from(word(at + 4)) };
        let mut ends = Endpoints::default();
        let ports = if head.0[0] >> 4 == 4 {
            ends.protocol = head.0[9];
            ends.source = Address::v4(word(12));
            ends.destination = Address::v4(word(16));
            word(20)
        } else {
            ends.protocol = head.0[6];
            ends.source = Address {
                high: long(8),
                low: long(16),
            };
            ends.destination = Address {
                high: long(24),
                low: long(32),
            };
            word(40)
        };
        ends.source_port = (ports >> 16) as u16;
        ends.destination_port = ports as u16;
        let mut key = FlowKey::default();
        key.write(&ends, 1, 0);
        Some(key)
    }

    /// Makes the next frame of the order out of the one it is given.
    #[xdp]
    pub(crate) fn traffic(context: XdpContext) -> u32 {
        if let Some(order) = ORDER.get_ptr_mut(0) {
            // SAFETY: one CPU makes frames at a time, and nobody else reads the order meanwhile.
            let order = unsafe { &mut *order };
            let turn = order.next;
            order.next += 1;
            if order.clients == 0 {
                flood(&context, turn);
            } else {
                converse(&context, turn, order);
            }
        }
        XDP_PASS
    }

    /// A SYN from an address nobody has used before.
    #[inline(always)]
    fn flood(context: &XdpContext, turn: u64) {
        // Over the whole of 2001:db8::/32 and not in order.
        let source = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        put(context, 8 + 4, (source as u32).to_be_bytes());
        put(context, 8 + 8, source.to_be_bytes());
        put(
            context,
            40,
            (1024 + (source >> 40) as u16 % 60_000).to_be_bytes(),
        );
    }

    #[inline(always)]
    fn converse(context: &XdpContext, turn: u64, order: &Order) {
        // Never zero here; the compiler would else keep a panic for it, which no verifier accepts.
        let (clients, servers) = (order.clients.max(1), order.servers.max(1));
        let (flow, round) = if order.flows == 0 {
            (turn, 0)
        } else {
            (turn % order.flows, turn / order.flows)
        };
        let client = [192, 0, 2, 1 + (flow % clients) as u8];
        let server = [198, 51, 100, 1 + (flow % servers) as u8];
        let port = 1024 + (flow / clients) as u16 % 60_000;
        let half = (round / 2) as u32 * PAYLOAD;
        let (flags, seq, ack) = match round {
            0 => (SYN, 1000, 0),
            1 => (SYN | ACK, 5000, 1001),
            _ if round % 2 == 0 => (PSH | ACK, 1001 + half - PAYLOAD, 5001 + half - PAYLOAD),
            _ => (PSH | ACK, 5001 + half - PAYLOAD, 1001 + half),
        };
        let ends = if round % 2 == 0 {
            (client, server, port, 80)
        } else {
            (server, client, 80, port)
        };
        put(context, 12, ends.0);
        put(context, 16, ends.1);
        put(context, 20, ends.2.to_be_bytes());
        put(context, 22, ends.3.to_be_bytes());
        put(context, 24, u32::to_be_bytes(seq));
        put(context, 28, u32::to_be_bytes(ack));
        put(context, 33, [flags]);
    }

    /// Writes `bytes` at an offset from the IP header on.
    #[inline(always)]
    fn put<const N: usize>(context: &XdpContext, at: usize, bytes: [u8; N]) {
        let place = context.data() + ETHERNET + at;
        if place + N <= context.data_end() {
            // SAFETY: the place is inside the frame, as the line above has shown the verifier.
            unsafe { (place as *mut [u8; N]).write_unaligned(bytes) }
        }
    }

    /// The verifier has shown that nothing panics; the compiler wants it said.
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    /// As the meter's.
    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
}
