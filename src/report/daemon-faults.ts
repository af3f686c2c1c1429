/** The faults of a daemon that answers a query with a refusal. */

/** The fault of a daemon that runs but cannot reach the API server. It cannot check the token of the query. */
export const withoutApiServer = 'it runs, but cannot reach the API server, and so cannot check our token';

/** The fault of a daemon that refuses a query because we have no token. */
export const withoutToken = 'it shows its state to other hosts only with a token';
