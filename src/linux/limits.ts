/** Limits of the Linux kernel that the configuration must respect. */

/** TCP_MD5SIG_MAXKEYLEN of linux/tcp.h: octets of the longest password that TCP MD5 (RFC 2385) takes. */
export const maxPasswordOctets = 80;
