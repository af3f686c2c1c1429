/**
 * Times that apply after a stall. In a stall, the process stands still because it was stopped, got no CPU time, or its computer was
 * suspended. Other speakers may meanwhile have declared this node dead and taken its addresses over, so this node must hear them before it
 * answers or announces.
 */

/** A frame or timer that is late by more than this reveals a stall. Most pauses of the garbage collector are much shorter. */
export const stallMs = 100;

/** Frames and announcements wait this long after a stall. In this time, the event loop turns several times and reads what other speakers sent. */
export const catchUpMs = 20;

/** Requests older than this stay unanswered. A witness counts a question as missed after 250 ms, and Linux asks again a second after its request. */
export const answerWithinMs = 250;
