/** The version that every door reports. A constant, because a host's bundler may leave package.json behind. */
export const VERSION = '0.1.0'
