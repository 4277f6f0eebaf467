"""What every long job needs: progress, stages, a cache, resuming."""
