"""The REST interface under `/api/authz`: grants, people, questions (PAP)."""
