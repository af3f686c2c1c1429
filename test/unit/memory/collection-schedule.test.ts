import assert from 'node:assert/strict';
import test from 'node:test';
import { isCollectionDue, isReturnDue } from '../../../src/memory/collection-schedule.ts';

const before = { atMs: 1000, cpuMs: 700, heapOctets: 30e6, loadPerProcessor: 0.5 };
const longestPauseMs = 600;
const reading = (after: { cpuMs?: number; heapMb?: number; load?: number }) => ({
  atMs: before.atMs + 5000,
  cpuMs: before.cpuMs + (after.cpuMs ?? 0),
  heapOctets: (after.heapMb ?? 30) * 1e6,
  loadPerProcessor: after.load ?? before.loadPerProcessor,
});

const cases = [
  { name: 'calm, before the first collection', collected: undefined, after: {}, isDue: true },
  { name: 'busy, before the first collection', collected: undefined, after: { cpuMs: 501 }, isDue: false },
  { name: 'at the limit of calm', collected: undefined, after: { cpuMs: 500 }, isDue: true },
  { name: 'calm, with a heap that has not grown', collected: { heapMb: 30 }, after: {}, isDue: false },
  {
    name: 'calm, with a heap of 30 MB that has grown by 6 MB',
    collected: { heapMb: 30 },
    after: { heapMb: 36 },
    isDue: false,
  },
  {
    name: 'calm, with a heap of 30 MB that has grown by 7 MB',
    collected: { heapMb: 30 },
    after: { heapMb: 37 },
    isDue: true,
  },
  {
    name: 'busy, with a heap of 30 MB that has grown by 60 MB',
    collected: { heapMb: 30 },
    after: { heapMb: 90, cpuMs: 600 },
    isDue: false,
  },
  {
    name: 'calm, with a heap of 6 MB that has grown by 2 MB',
    collected: { heapMb: 6 },
    after: { heapMb: 8 },
    isDue: false,
  },
  {
    name: 'less than a minute after the last one, with a heap that has grown by 60 MB',
    collected: { heapMb: 30, agoMs: 59_999 },
    after: { heapMb: 90 },
    isDue: false,
  },
  {
    name: 'less than a quarter of an hour after the last one, with a heap that has grown by 0.5 MB',
    collected: { heapMb: 30, agoMs: 899_999 },
    after: { heapMb: 30.5 },
    isDue: false,
  },
  {
    name: 'a quarter of an hour after the last one, with a heap that has grown by 0.5 MB',
    collected: { heapMb: 30, agoMs: 900_000 },
    after: { heapMb: 30.5 },
    isDue: true,
  },
  {
    name: 'a quarter of an hour after the last one, with a heap that has grown by 0.4 MB',
    collected: { heapMb: 30, agoMs: 900_000 },
    after: { heapMb: 30.4 },
    isDue: false,
  },
  {
    name: 'on a machine where four processes per processor run or wait to run',
    collected: undefined,
    after: { load: 4 },
    isDue: true,
  },
  {
    name: 'on a machine with more than four processes per processor, where the pause would be too long',
    collected: undefined,
    after: { load: 4.1 },
    isDue: false,
  },
  {
    name: 'with a heap so large that the pause would be too long',
    collected: undefined,
    after: { heapMb: 121 },
    isDue: false,
  },
] as const satisfies readonly {
  readonly name: string;
  readonly collected: { readonly heapMb: number; readonly agoMs?: number } | undefined;
  readonly after: Parameters<typeof reading>[0];
  readonly isDue: boolean;
}[];

for (const { name, collected, after, isDue } of cases)
  test(`a collection is ${isDue ? '' : 'not '}due: ${name}`, () => {
    const now = reading(after);
    const agoMs = collected && 'agoMs' in collected ? collected.agoMs : 60_000;
    const schedule = {
      checked: before,
      collected: collected && { atMs: now.atMs - agoMs, heapOctets: collected.heapMb * 1e6 },
      returnedAtMs: undefined,
    };
    assert.equal(isCollectionDue(schedule, now, longestPauseMs), isDue);
  });

const returnCases = [
  { name: 'calm, before the first one', returnedAgoMs: undefined, after: {}, isDue: true },
  { name: 'calm, half a minute after the last one', returnedAgoMs: 30_000, after: {}, isDue: true },
  {
    name: 'calm, less than half a minute after the last one',
    returnedAgoMs: 29_999,
    after: {},
    isDue: false,
  },
  { name: 'busy, before the first one', returnedAgoMs: undefined, after: { cpuMs: 501 }, isDue: false },
  { name: 'busy, long after the last one', returnedAgoMs: 1e6, after: { cpuMs: 501 }, isDue: false },
  {
    name: 'calm on a machine that is too busy for a collection',
    returnedAgoMs: undefined,
    after: { load: 100 },
    isDue: true,
  },
] as const satisfies readonly {
  readonly name: string;
  readonly returnedAgoMs: number | undefined;
  readonly after: Parameters<typeof reading>[0];
  readonly isDue: boolean;
}[];

for (const { name, returnedAgoMs, after, isDue } of returnCases)
  test(`a return of pages is ${isDue ? '' : 'not '}due: ${name}`, () => {
    const now = reading(after);
    const returnedAtMs = returnedAgoMs === undefined ? undefined : now.atMs - returnedAgoMs;
    assert.equal(isReturnDue({ checked: before, collected: undefined, returnedAtMs }, now), isDue);
  });

for (const [returnedAgoMs, isDue] of [
  [29_999, false],
  [30_000, true],
] as const)
  test(`a busy process that returns pages while it is busy ${isDue ? 'returns' : 'does not return'} them ${returnedAgoMs} ms after the last return`, () => {
    const now = reading({ cpuMs: 5000 });
    const schedule = { checked: before, collected: undefined, returnedAtMs: now.atMs - returnedAgoMs };
    assert.equal(isReturnDue(schedule, now, true), isDue);
  });
