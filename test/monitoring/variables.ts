/** The query with the values that Grafana puts in for its variables when everything is selected. */
export function withValues(expr: string, rateInterval: string): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll(/\$\w+/g, '.*');
}
