/**
 * Decides when this node writes its line for an address again, after another node has overwritten the line in the announcing record.
 * Without pauses, two nodes that both answer, for instance on both sides of a partition, would overwrite each other's lines for ever.
 * During a planned handover, the old owner still answers for a moment after its successor has written a line. The old owner must leave that
 * line alone.
 *
 * A pure machine with one state for each record and address. Each function that takes an event returns the next state. Services that share an
 * address have a record each, and a line in one record says nothing about the other records.
 */
export interface RecordContest {
  /** At some time since we began to answer, the record carried our line. */
  readonly isRecorded: boolean;
  /** When another node's line was first seen in place of ours. */
  readonly overwrittenAtMs: number | undefined;
  /** How long another node's line stays before this node overwrites it. */
  readonly pauseMs: number;
}

/**
 * The first pause is longer than an old owner keeps answering after its successor has begun to answer. In a handover, the old owner
 * therefore does not overwrite the successor's line.
 */
const firstPauseMs = 10_000;
const maxPauseMs = 600_000;

/** The state when this node begins to answer. The node then writes its line at once, whatever the record says. */
export const newContest: RecordContest = {
  isRecorded: false,
  overwrittenAtMs: undefined,
  pauseMs: firstPauseMs,
};

/** The line that the record carries: ours, another live node's, or `absent`, which stands for the line of a dead node too. */
export type SeenLine = 'ours' | 'other' | 'absent';

export function lineSeen(contest: RecordContest, line: SeenLine, nowMs: number): RecordContest {
  if (line === 'ours')
    return contest.isRecorded && contest.overwrittenAtMs === undefined
      ? contest
      : { ...contest, isRecorded: true, overwrittenAtMs: undefined };
  if (line === 'absent' || !contest.isRecorded || contest.overwrittenAtMs !== undefined) return contest;
  return { ...contest, overwrittenAtMs: nowMs };
}

/** Our line has replaced `over`. If `over` is another node's line that had overwritten ours, the next pause is twice as long. */
export function lineWritten(contest: RecordContest, over: SeenLine): RecordContest {
  const isAgain = contest.isRecorded && over === 'other';
  const pauseMs = isAgain ? Math.min(maxPauseMs, contest.pauseMs * 2) : contest.pauseMs;
  return { isRecorded: true, overwrittenAtMs: undefined, pauseMs };
}

/** Whether our line may be written over `line`. */
export function mayWriteLine(contest: RecordContest, line: SeenLine, nowMs: number): boolean {
  if (line !== 'other' || !contest.isRecorded) return true;
  return contest.overwrittenAtMs !== undefined && nowMs - contest.overwrittenAtMs >= contest.pauseMs;
}

/**
 * The partition in which both nodes answered may be over. The pauses have grown to keep the two nodes from writing often. A long pause would now
 * only delay the correction of the record, so the next pause is as short as the first.
 */
export function partitionEnded(contest: RecordContest): RecordContest {
  return { ...contest, pauseMs: firstPauseMs };
}
