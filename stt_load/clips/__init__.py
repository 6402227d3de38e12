"""Shell. Where clips come from: folders on disk, TTS engines, the cache. Imports `audio`."""
