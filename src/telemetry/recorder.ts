import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { FlightRecorder, type RecordedEvent } from './flight-recorder.ts';

/** Creates the flight recorder of a process. At level debug every recorded event is logged as well. */
export function createRecorder({ clock, logger }: { clock: Clock; logger: Logger }): FlightRecorder {
  return new FlightRecorder({
    clock,
    ...(logger.isLevelEnabled('debug') ? { debug: (recorded) => logEvent(logger, recorded) } : {}),
  });
}

function logEvent(logger: Logger, { machine, at, state, event, actions }: RecordedEvent): void {
  logger.debug({ machine, at, state, event, actions }, 'event');
}
