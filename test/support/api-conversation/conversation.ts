/**
 * A conversation with an API server: requests of the kinds that Bellman, its lab and its users send. Two servers that give the same answers
 * look alike to Bellman, its lab and its users.
 */
import { accounts } from './accounts.ts';
import { configMaps } from './config-maps.ts';
import { endpointSlices } from './endpoint-slices.ts';
import { coreEvents, events } from './events.ts';
import { leases } from './leases.ts';
import { lists, watches } from './lists-and-watches.ts';
import { nodesAndPods } from './nodes-and-pods.ts';
import { pathsAndMethods } from './paths-and-methods.ts';
import { serviceChanges, serviceConditions, serviceStatus } from './service-changes.ts';
import { serviceDefaults, serviceRefusals } from './service-creation.ts';
import type { Talk } from './talk.ts';

/** The talks by title, in the order in which they run. Some talks use objects that earlier talks have made. */
export const conversation: Readonly<Record<string, Talk>> = {
  'Services are created with defaults': serviceDefaults,
  'Services that are refused': serviceRefusals,
  'the status of a Service': serviceStatus,
  'conditions of a Service by server-side apply': serviceConditions,
  'changes of a Service': serviceChanges,
  ConfigMaps: configMaps,
  Leases: leases,
  Events: coreEvents,
  'Events of events.k8s.io': events,
  'Secrets, Namespaces and ServiceAccounts': accounts,
  'Nodes and Pods': nodesAndPods,
  EndpointSlices: endpointSlices,
  lists,
  watches,
  'paths and methods': pathsAndMethods,
};
