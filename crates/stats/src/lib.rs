//! Statistics of repeated runs: IQM, stratified bootstrap, performance profiles.
