import { type Dashboard, graph, type Panel, table, value } from './panel.ts';

const chosen = '{instance=~"$instance",peer=~"$peer"}';
const legend = '{{instance}} {{peer}}';

const perSession = (title: string, unit: 'short' | 's', metric: string) =>
  graph(title, unit, metric + chosen, legend);
const rate = (metric: string, unit: 'ops' | 'Bps', title: string) =>
  graph(title, unit, `rate(${metric}${chosen}[$__rate_interval])`, legend);

const routes: Panel = {
  title: 'Routes',
  kind: 'graph',
  unit: 'short',
  queries: [
    { expr: `bellman_bgp_announced_prefixes_total${chosen}`, legend: `${legend} announced` },
    { expr: `bellman_bgp_pending_prefixes_total${chosen}`, legend: `${legend} wanted` },
  ],
};

export const bgp: Dashboard = {
  name: 'bgp',
  title: 'Bellman / BGP and BFD',
  variables: [
    { name: 'instance', metric: 'bellman_bgp_session_up', label: 'instance' },
    { name: 'peer', metric: 'bellman_bgp_session_up', label: 'peer' },
  ],
  rows: [
    {
      title: 'Now',
      panels: [
        value('Sessions that are Established', 'short', `sum(bellman_bgp_session_up${chosen})`),
        value('Sessions that are down', 'short', `count(bellman_bgp_session_up${chosen} == 0) or vector(0)`),
        value('BFD sessions that are Up', 'short', `sum(bellman_bfd_session_up${chosen})`),
        value('Routes announced', 'short', `sum(bellman_bgp_announced_prefixes_total${chosen})`),
        table(
          'State: 1 Idle, 2 Connect, 3 Active, 4 OpenSent, 5 OpenConfirm, 6 Established',
          'short',
          `sum by (instance, peer) (bellman_bgp_fsm_state${chosen})`,
        ),
        table(
          'Last errors',
          'dateTimeFromNow',
          `1000 * sum by (instance, peer, error) (bellman_bgp_last_error_timestamp_seconds${chosen})`,
        ),
      ],
    },
    {
      title: 'Sessions',
      panels: [
        perSession('Established', 'short', 'bellman_bgp_session_up'),
        routes,
        graph(
          'Sessions that came up',
          'short',
          `increase(bellman_bgp_established_transitions_total${chosen}[$__rate_interval])`,
          legend,
        ),
        graph(
          'NOTIFICATION messages, by error',
          'short',
          `sum by (direction, code, subcode) (increase(bellman_bgp_notifications_total${chosen}[$__rate_interval]))`,
          '{{direction}} {{code}}/{{subcode}}',
        ),
        graph(
          'Hold timers that expired',
          'short',
          `increase(bellman_bgp_hold_timer_expiries_total${chosen}[$__rate_interval])`,
          legend,
        ),
      ],
    },
    {
      title: 'Messages',
      panels: [
        rate('bellman_bgp_updates_total', 'ops', 'UPDATE messages sent'),
        rate('bellman_bgp_sent_bytes_total', 'Bps', 'Sent'),
        rate('bellman_bgp_received_bytes_total', 'Bps', 'Received'),
        graph('Waiting to be written', 'bytes', `bellman_bgp_queued_bytes${chosen}`, legend),
      ],
    },
    {
      title: 'BFD',
      panels: [
        perSession('Up', 'short', 'bellman_bfd_session_up'),
        perSession('Detection time', 's', 'bellman_bfd_detection_time_seconds'),
        perSession('Interval between packets', 's', 'bellman_bfd_transmit_interval_seconds'),
        graph(
          'Sessions that went down',
          'short',
          `increase(bellman_bfd_session_down_events${chosen}[$__rate_interval])`,
          legend,
        ),
        graph(
          'Lateness of packets, 99.9 %',
          's',
          'histogram_quantile(0.999, sum by (instance, le) (rate(bellman_bfd_lateness_seconds_bucket{instance=~"$instance"}[$__rate_interval])))',
          '{{instance}}',
        ),
        graph(
          'Real-time scheduling',
          'bool_yes_no',
          'bellman_bfd_realtime{instance=~"$instance"}',
          '{{instance}}',
        ),
      ],
    },
  ],
};
