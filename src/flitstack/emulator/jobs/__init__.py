"""Work that goes on after its request was answered: system jobs, as rows of asyncoperation show them."""
