/**
 * Converts the configuration of another program to one ConfigMap. Everything here is pure: objects of Kubernetes in, a text and a table
 * out.
 *
 *   manifests ── objects.ts ──→ objects ── one converter for each source ──→ draft ── draft.ts ──→ text ── gate ──→ Conversion
 *                                                      │                                            │
 *                                                      └──→ report.ts: a row for each field ←───────┘
 *
 * No field is lost silently. A converter gives an outcome to each field that it reads, and `fields.ts` writes `not carried` for each field
 * that nothing reads. A test gives every field of every source to the converters and expects a row for it. The gate of the controller judges
 * the result. Each error of the gate becomes a fault that names the field from which the refused text comes. A source that cannot be converted
 * gives faults and no text at all.
 *
 * `source.ts` says what a source is. `metallb/`, `purelb.ts`, `openelb.ts`, `kube-vip.ts` and `cilium/` are the sources. They are written
 * from the API types of these programs and from their published examples.
 */
export { type Conversion, convert, sources } from './convert.ts';
export { objectsIn, readObjects, type SourceObject } from './objects.ts';
export { formatFault, type Row, type SourceFault } from './report.ts';
export type { ListPath, SourceName } from './source.ts';
