"""From how many callers one machine holds to what must be deployed. A shell: reads run folders, writes files."""
