import { ipToBytes } from '../../address/index.ts';
import type { NotificationError } from '../fsm-types.ts';
import type { Capability, Message, PathAttributes } from '../message.ts';

export function encodePathAttributes(a: PathAttributes, o: { fourOctetAs: boolean }): Uint8Array {
  const out: number[] = [];
  const put = (flags: number, type: number, value: readonly number[]) => {
    const ext = value.length > 255;
    out.push(
      flags | (ext ? 0x10 : 0),
      type,
      ...(ext ? [value.length >> 8] : []),
      value.length & 255,
      ...value,
    );
  };
  const u32 = (v: number) => [(v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255];
  put(0x40, 1, [0]);
  put(
    0x40,
    2,
    (a.asPath ?? []).flatMap((s) => [
      2,
      s.asns.length,
      ...s.asns.flatMap((n) => (o.fourOctetAs ? u32(n) : u32(n > 65535 ? 23456 : n).slice(2))),
    ]),
  );
  if (a.nextHop) put(0x40, 3, [...ipToBytes(a.nextHop)]);
  if (a.med !== undefined) put(0x80, 4, u32(a.med));
  if (a.localPref !== undefined) put(0x40, 5, u32(a.localPref));
  if (a.communities) put(0xc0, 8, a.communities.flatMap(u32));
  if (a.largeCommunities)
    put(
      0xc0,
      32,
      a.largeCommunities.flatMap((c) => c.flatMap(u32)),
    );
  return Uint8Array.from(out);
}

export function encodeMessage(m: Message): Uint8Array {
  const u16 = (v: number) => [(v >> 8) & 255, v & 255];
  const u32 = (v: number) => [(v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255];
  let body: number[] = [];
  let type = 4;
  if (m.kind === 'open') {
    type = 1;
    const caps = m.capabilities.flatMap((c) => {
      const v = ((): [number, number[]] => {
        switch (c.kind) {
          case 'multiprotocol':
            return [1, [...u16(c.family.afi), 0, c.family.safi]];
          case 'route-refresh':
            return [2, []];
          case 'enhanced-route-refresh':
            return [70, []];
          case 'extended-message':
            return [6, []];
          case 'four-octet-as':
            return [65, u32(c.asn)];
          case 'extended-next-hop':
            return [5, c.tuples.flatMap((t) => [...u16(t.afi), ...u16(t.safi), ...u16(t.nextHopAfi)])];
          case 'graceful-restart':
            return [
              64,
              [
                ...u16((c.restarting ? 0x8000 : 0) | (c.notification ? 0x4000 : 0) | c.restartTimeSeconds),
                ...c.families.flatMap((f) => [...u16(f.afi), f.safi, f.forwarding ? 0x80 : 0]),
              ],
            ];
          case 'fqdn': {
            const h = [...new TextEncoder().encode(c.host)];
            return [73, [h.length, ...h, 0]];
          }
          default:
            throw new Error(c.kind);
        }
      })();
      return [v[0], v[1].length, ...v[1]];
    });
    const params = caps.length ? [2, caps.length, ...caps] : [];
    body = [
      m.version,
      ...u16(m.myAs),
      ...u16(m.holdTimeSeconds),
      ...u32(m.routerId),
      params.length,
      ...params,
    ];
  } else if (m.kind === 'notification') {
    type = 3;
    body = [m.code, m.subcode, ...m.data];
  }
  return Uint8Array.from([...new Array(16).fill(255), ...u16(19 + body.length), type, ...body]);
}

export function decodeMessage(
  b: Uint8Array,
): { ok: true; message: Message; prefixes: number } | { ok: false; error: NotificationError } {
  const v = new DataView(b.buffer, b.byteOffset, b.length);
  switch (b[18]) {
    case 1: {
      const capabilities: Capability[] = [];
      let at = 29;
      while (at < b.length) {
        const t = b[at] ?? 0;
        const l = b[at + 1] ?? 0;
        if (t === 2)
          for (let c = at + 2; c < at + 2 + l; c += 2 + (b[c + 1] ?? 0)) {
            const code = b[c] ?? 0;
            const o = c + 2;
            if (code === 1)
              capabilities.push({
                kind: 'multiprotocol',
                family: { afi: v.getUint16(o), safi: b[o + 3] ?? 0 },
              });
            else if (code === 2) capabilities.push({ kind: 'route-refresh' });
            else if (code === 70) capabilities.push({ kind: 'enhanced-route-refresh' });
            else if (code === 6) capabilities.push({ kind: 'extended-message' });
            else if (code === 65) capabilities.push({ kind: 'four-octet-as', asn: v.getUint32(o) });
            else if (code === 5)
              capabilities.push({
                kind: 'extended-next-hop',
                tuples: [{ afi: v.getUint16(o), safi: v.getUint16(o + 2), nextHopAfi: v.getUint16(o + 4) }],
              });
            else if (code === 64)
              capabilities.push({
                kind: 'graceful-restart',
                restarting: false,
                notification: Boolean((b[o] ?? 0) & 0x40),
                restartTimeSeconds: v.getUint16(o) & 0xfff,
                families: [],
              });
            else capabilities.push({ kind: 'unknown', code, value: b.slice(o, o + (b[c + 1] ?? 0)) });
          }
        at += 2 + l;
      }
      return {
        ok: true,
        prefixes: 0,
        message: {
          kind: 'open',
          version: b[19] ?? 0,
          myAs: v.getUint16(20),
          holdTimeSeconds: v.getUint16(22),
          routerId: v.getUint32(24),
          capabilities,
        },
      };
    }
    case 2:
      return { ok: true, prefixes: 0, message: { kind: 'update', withdrawn: [], attributes: {}, nlri: [] } };
    case 3:
      return {
        ok: true,
        prefixes: 0,
        message: { kind: 'notification', code: b[19] ?? 0, subcode: b[20] ?? 0, data: b.slice(21) },
      };
    case 5:
      return {
        ok: true,
        prefixes: 0,
        message: { kind: 'route-refresh', afi: v.getUint16(19), subtype: b[21] ?? 0, safi: b[22] ?? 0 },
      };
    default:
      return { ok: true, prefixes: 0, message: { kind: 'keepalive' } };
  }
}
