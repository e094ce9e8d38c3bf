"""HTTP as Microsoft Graph does it: errors, paths, query options, paging, bodies. Every service answers through here."""
