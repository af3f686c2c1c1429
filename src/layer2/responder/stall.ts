/**
 * Times that apply after the process stood still: it was stopped, starved of CPU, or its machine was suspended. Other speakers
 * may have declared this node dead meanwhile and taken its addresses over, so it must hear them before it answers or announces.
 */

/** A frame or timer later than this reveals a stall. Pauses of the garbage collector stay well below it. */
export const stallMs = 100;

/** Frames wait this long after a stall, which is several turns of the event loop and a few round trips to other speakers. */
export const catchUpMs = 20;

/** Requests older than this stay unanswered: the sender has given up or has asked again (Linux asks once a second). */
export const answerWithinMs = 250;
